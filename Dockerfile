# docker build -t bench --build-arg GIT_SHA="$(git rev-parse HEAD)" .
#
# For NVIDIA GPUs add --build-arg TORCH=gpu; the base stays the same, for the CUDA libraries come
# with the wheels and the driver with the host.
#
# What is installed is pinned by content: the base by its digest, packages by the SHA-256 of their
# files (requirements/, written by `make pins`).
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON_IMAGE} AS dependencies
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/*.txt /opt/requirements/
WORKDIR /opt/requirements
# The lists are complete: no dependency is looked up, and nothing is fetched to build a package.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --require-hashes --no-deps --requirement build.txt \
 && pip install --require-hashes --no-deps --no-build-isolation --requirement common.txt
ARG TORCH=cpu
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
RUN --mount=type=cache,target=/root/.cache/pip \
    if [ "${TORCH}" = gpu ]; then \
      pip install --require-hashes --no-deps --requirement gpu.txt; \
    else \
      pip install --require-hashes --no-deps --requirement cpu.txt --index-url "${TORCH_INDEX_URL}" \
      && if [ -e cpu-unhashed.txt ]; then \
        pip install --no-deps --requirement cpu-unhashed.txt --index-url "${TORCH_INDEX_URL}"; fi; \
    fi \
 && pip check

# The project itself, installed under a root of its own: a small last layer, built in seconds.
FROM dependencies AS project
COPY . /src
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --no-build-isolation --root /project /src

FROM dependencies
RUN useradd --uid 1000 --no-create-home --home-dir /tmp bench \
 && install --directory --mode 1777 /out
# HOME and USER are for `docker run --user 1234`, an id that /etc/passwd does not know. Under HOME
# lie all caches, and /tmp is the one place beside /out that is writable under --read-only.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    USER=bench \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=project /project /
ARG GIT_SHA=
ENV BENCH_GIT_SHA=${GIT_SHA}
LABEL org.opencontainers.image.revision=${GIT_SHA}
USER 1000:1000
WORKDIR /out
ENTRYPOINT ["bench"]
CMD ["--help"]
