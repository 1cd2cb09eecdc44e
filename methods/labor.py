"""LABOR: cluster the data, let a person name the clusters, remove what the classifier sees else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from bench.errors import Skip
from bench.learning.loop import Context
from bench.learning.moco import MoCo, Version, Views
from bench.learning.settings import Recipe
from bench.learning.standard import plain_loss
from bench.method import Paper
from bench.models.backbones import check_shape
from bench.models.pretrained import WeightsFolder
from bench.models.weights import network
from bench.tracks.poisoning import Defence, Defender, PoisoningTask
from bench.tracks.poisoning.tagging import MOST, Queue, look
from bench.tracks.poisoning.untangling import contaminated

ITERATIONS, TOLERANCE = 200, 1e-4  # of k-means, section 4.1.3


@dataclass(frozen=True)
class Labor(Defender):
    """Luo et al. (2025), section 3.2.

    Clusters are found without labels, so a poisoned sample lies with its true class. A person
    looks at a few members of each cluster and names it; where the name and the classifier's
    prediction differ, the sample is removed and the classifier trained anew.

    Two clusters may get one name and a class none: then every sample of that class is removed, and
    the class is lost. `lost_class: keep` leaves such samples in.

    Poison whose labels are right agrees with its cluster and stays (section 5.7): `then` names a
    detector that looks for it in what LABOR has left.
    """

    paper: ClassVar[Paper] = Paper(
        "Luo et al. (2025)",
        "Just a little human intelligence feedback! Unsupervised learning assisted supervised "
        "learning data poisoning based backdoor removal",
        "https://doi.org/10.1016/j.comcom.2025.108052",
    )

    clustering: Literal["auto", "moco", "kmeans", "given"] = "auto"
    """auto: MoCo's features for images, k-means on the inputs for the rest (section 4.1.3);
    given: the features of a network that learned elsewhere; k-means groups any of them."""
    embedder: Literal["resnet18", "vgg16", "inception_v4", "vit_b_16", "swin"] = "resnet18"
    """With `given`: that network."""
    embedding: str = ""
    """With `given`: the file of its weights, as the library names them."""
    clusters_per_class: Annotated[int, Field(ge=1)] = 1
    """1 is the paper's; more clusters are purer and cost more looks."""
    components: Annotated[int, Field(ge=0)] = 50
    """Principal components in which inputs are clustered; 0 takes them as they are. Of texts: of
    their words' tf-idf."""
    tagger: Literal["majority", "model"] = "majority"
    """majority: a cluster has the class that most of its inspected members show; model: our own
    variant, a classifier fitted to the inspected samples names every sample by itself."""
    lost_class: Literal["remove", "keep"] = "remove"
    """What happens to samples that are taken for a class that no cluster is named after."""
    annotator: Literal["oracle", "recorded"] = "oracle"
    """oracle: sees the true class; recorded: a file that `bench label` wrote."""
    tags: str = ""
    """That file."""
    careless: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of an oracle's looks that name a wrong class."""
    most: Annotated[int, Field(ge=1)] = MOST
    """Looks that one cluster takes at most (section 3.2)."""
    adaptive: bool = True
    """Whether looking ends early where a cluster's members agree; False takes `most` of each."""
    then: Literal["nothing", "scan"] = "nothing"
    """scan: a classifier is trained on what is left, and SCAn looks for poison under its own label
    (section 5.7 proposes ASSET for it). It needs the clean samples that LABOR does without."""
    version: Version = "v1"
    """Of MoCo; the paper takes v2 for ImageNet (section 5.1)."""
    epochs: Annotated[int, Field(ge=1)] = 200
    """Of MoCo; the paper gives none, 200 is He et al.'s."""
    flip: bool = True
    """Whether MoCo takes mirror images for the same thing."""

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """The tags decide, and the network given, wherever they lie."""
        del weights
        tags = (Path(self.tags),) if self.annotator == "recorded" else ()
        return (*tags, Path(self.embedding)) if self.clustering == "given" else tags

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Cluster, ask, compare with the classifier."""
        space = self._space(task, context)
        cluster = self._clusters(space, task, context)
        seen = self._asked(self._queue(cluster, task, context), task)
        votes = self._votes(space, cluster, seen, len(task.classes))
        said = context.predict(task.victim, task.train.inputs).argmax(dim=1).cpu()
        tags = votes.argmax(dim=1).masked_fill(votes.sum(dim=1) == 0, -1)
        flagged = tags != said
        lost = sorted(set(range(len(task.classes))) - set(tags.tolist()))
        context.chosen["clusters"] = int(cluster.max()) + 1
        if lost:
            context.chosen["classes without a cluster"] = ", ".join(task.classes[c] for c in lost)
            if self.lost_class == "keep":
                flagged &= ~torch.isin(said, torch.tensor(lost))
        suspicion = 1 - votes.gather(1, said[:, None])[:, 0]
        if self.then == "scan":
            flagged = self._scanned(task, context, flagged)
        # The model names samples by themselves, not clusters.
        named = cluster if self.tagger == "majority" else None
        return Defence(flagged=flagged, suspicion=suspicion, tags=tags, clusters=named)

    def queue(self, task: PoisoningTask, context: Context) -> Queue:
        """What `defend` asks on this task and seed, for `bench label`."""
        return self._queue(self._clusters(self._space(task, context), task, context), task, context)

    def _scanned(self, task: PoisoningTask, context: Context, flagged: Tensor) -> Tensor:
        """What is flagged, and what SCAn finds in the rest (section 5.7)."""
        rows = (~flagged).nonzero()[:, 0]
        left = task.train.subset(rows.to(task.device))
        model = context.train(task.new_model(), left, plain_loss, stage="after the looks")
        found = contaminated(model, left, task.reserve, context, classes=len(task.classes)).flagged
        context.chosen["found afterwards"] = int(found.sum())
        flagged = flagged.clone()
        flagged[rows[found.cpu()]] = True
        return flagged

    def _space(self, task: PoisoningTask, context: Context) -> Tensor:
        """Where samples are clustered, [n, width] float32 on the CPU."""
        if self.clustering == "moco" or (self.clustering == "auto" and task.kind == "image"):
            features = context.predict(self._moco(task, context), task.train.inputs)
            return torch.nn.functional.normalize(features, dim=1).cpu()
        if self.clustering == "given":
            features = context.predict(self._given(task), task.train.inputs)
            return torch.nn.functional.normalize(features, dim=1).cpu()
        if task.kind == "text":
            return topics(task.train.x.cpu(), task.shape[1], self.components)
        x = task.train.x.flatten(1).float().cpu()
        return principal(x, self.components) if self.components else x

    def _given(self, task: PoisoningTask) -> torch.nn.Module:
        """The layers below the head of a network with the weights of a file."""
        if task.kind != "image":
            raise Skip(f"{self.embedder} knows images, and this data holds none")
        check_shape(self.embedder, task.shape)
        net = network(self.embedder, task.shape, 1, task.seed, task.device, self.embedding)
        return torch.nn.Sequential(net.encoder, net.neck)

    def _moco(self, task: PoisoningTask, context: Context) -> MoCo:
        """Section 4.1.3; shared among the variants that differ elsewhere."""
        if task.kind != "image":
            raise Skip("MoCo tells views of images apart, and this data holds none")
        recipe = Recipe(epochs=self.epochs, batch_size=128, learning_rate=0.06, weight_decay=5e-4)

        def build(inner: Context, model: MoCo) -> MoCo:
            return inner.train(model, task.train, MoCo.loss, stage="moco", recipe=recipe)

        blank = MoCo(
            task.new_model(),
            dim=128,
            queue=4096,
            momentum=0.99,
            temperature=0.1,
            version=self.version,
            views=Views(flip=self.flip, blur=self.version == "v2"),
            random=context.generator("moco"),
        ).to(task.device)
        decided_by = {
            "version": self.version,
            "epochs": self.epochs,
            "flip": self.flip,
            "revision": self.revision,
        }
        return context.shared("moco", decided_by, blank, build)

    def _clusters(self, space: Tensor, task: PoisoningTask, context: Context) -> Tensor:
        """Cluster of each sample, [n] int64: k-means++ of section 4.1.3."""
        from sklearn.cluster import KMeans  # noqa: PLC0415 - slow to import
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        state = int(torch.randint(2**31, (), generator=context.generator("labor/k-means")))
        k = self.clusters_per_class * len(task.classes)
        if k > len(space):
            raise Skip(f"{k} clusters of {len(space)} samples cannot be")
        # On several threads its sums, and so its clusters, may differ from run to run.
        with threadpool_limits(1):
            found = KMeans(k, init="k-means++", n_init=1, max_iter=ITERATIONS, tol=TOLERANCE,
                       random_state=state).fit_predict(space.numpy())  # fmt: skip
        return torch.from_numpy(found.astype(np.int64))

    def _queue(self, cluster: Tensor, task: PoisoningTask, context: Context) -> Queue:
        """Who is looked at: members in random order, the largest cluster first."""
        shuffled = torch.randperm(len(cluster), generator=context.generator("labor/looks"))
        members = {
            number: shuffled[cluster[shuffled] == number].tolist()
            for number in range(int(cluster.max()) + 1)
        }
        return Queue.of(task.name, task.classes, members, self.most, adaptive=self.adaptive)

    def _asked(self, queue: Queue, task: PoisoningTask) -> dict[int, int]:
        """Row -> class of all that were looked at and recognised."""
        human = task.human(self.annotator, self.careless, self.tags)
        answers = [look(cluster, human.tag, queue.most) for cluster in queue.clusters]
        return {row: tag for found in answers for row, tag in found.items() if tag is not None}

    def _votes(self, space: Tensor, cluster: Tensor, seen: dict[int, int], classes: int) -> Tensor:
        """How far each sample is held for each class, [n, classes]; rows sum to 1, or to 0."""
        if self.tagger == "model":
            return fitted(space, seen, classes)
        rows = torch.tensor(list(seen), dtype=torch.long)
        shown = torch.tensor(list(seen.values()), dtype=torch.long)
        count = torch.zeros(int(cluster.max()) + 1, classes)
        count.index_put_((cluster[rows], shown), torch.ones(len(rows)), accumulate=True)
        return (count / count.sum(dim=1, keepdim=True).clamp_min(1))[cluster]


def principal(x: Tensor, components: int) -> Tensor:
    """The first principal components of [n, d] inputs, [n, at most components] float32."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to import

    count = min(components, *x.shape)
    return torch.from_numpy(PCA(count, random_state=0).fit_transform(x.numpy())).float()


def topics(x: Tensor, words: int, components: int) -> Tensor:
    """Texts as weighted word counts (tf-idf), in their main directions, each of length one.

    Args:
        x: token ids, [n, length]; 0 pads and 1 is an unknown word.
        words: in the vocabulary.
        components: directions (truncated singular value decomposition), or 0 for all words.
    """
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - slow to import
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415
    from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415

    real = x > 1
    row = torch.arange(len(x))[:, None].expand_as(x)
    ones = np.ones(int(real.sum()), np.float32)
    count = csr_matrix((ones, (row[real].numpy(), x[real].numpy())), shape=(len(x), words))
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(count)
    if not components:
        return torch.from_numpy(weighted.toarray()).float()
    found = TruncatedSVD(min(components, words - 1), random_state=0).fit_transform(weighted)
    return torch.nn.functional.normalize(torch.from_numpy(found).float(), dim=1)


def fitted(space: Tensor, seen: dict[int, int], classes: int) -> Tensor:
    """Probabilities of each class from a support vector machine on what was looked at.

    Args:
        space: [n, width].
        seen: row -> class.
        classes: in the task.
    """
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - slow to import
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
    from sklearn.svm import SVC  # noqa: PLC0415

    rows, shown = list(seen), list(seen.values())
    votes = torch.zeros(len(space), classes)
    if len(set(shown)) < 2:
        votes[:, shown[:1]] = 1
        return votes
    model = make_pipeline(StandardScaler(with_std=False), SVC(C=10.0))
    model.fit(space[rows].numpy(), shown)
    scores = torch.from_numpy(model.decision_function(space.numpy())).float()
    if scores.dim() == 1:  # of two classes one score comes back
        scores = torch.stack([-scores, scores], dim=1)
    votes[:, model.classes_.tolist()] = scores.softmax(dim=1)
    return votes
