# docker build -t bench --build-arg GIT_SHA="$(git rev-parse HEAD)" .
#
# For NVIDIA GPUs add --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/cu130; the base
# stays the same, for the CUDA libraries come with the wheels and the driver with the host.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

# The dependencies out of pyproject.toml, so that a change to its other settings (a linter's rule,
# say) does not install two gigabytes again.
FROM ${PYTHON_IMAGE} AS requirements
COPY pyproject.toml /
RUN python -c "import tomllib; print(*tomllib.load(open('/pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > /requirements.txt

FROM ${PYTHON_IMAGE} AS dependencies
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
COPY --from=requirements /requirements.txt /opt/
COPY constraints.txt /opt/
# Of equal versions pip takes the one with a local part: 2.14.1+cpu or 2.14.1+cu130 before 2.14.1.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --requirement /opt/requirements.txt --constraint /opt/constraints.txt \
      --extra-index-url "${TORCH_INDEX_URL}"

# The project itself, installed under a root of its own: a small last layer, built in seconds.
FROM dependencies AS project
COPY . /src
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --root /project /src

FROM dependencies
RUN useradd --uid 1000 --no-create-home --home-dir /tmp bench \
 && install --directory --mode 1777 /out
# HOME and USER are for `docker run --user 1234`, an id that /etc/passwd does not know.
ENV PYTHONUNBUFFERED=1 \
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
