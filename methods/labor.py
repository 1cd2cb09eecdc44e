"""LABOR: cluster the data, let a person name the clusters, remove samples that do not agree."""

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
from bench.tracks.poisoning.tagging import MOST, Queue, inspected
from bench.tracks.poisoning.untangling import contaminated

ITERATIONS, TOLERANCE = 200, 1e-4  # of k-means, section 4.1.3


@dataclass(frozen=True)
class Labor(Defender):
    """Luo et al. (2025), section 3.2.

    The data is clustered without labels, so that a poisoned sample lies in the cluster of its true
    class. A person inspects a few members of each cluster and names its class. Samples whose
    predicted class is not that of their cluster are removed, and the classifier is trained again.

    If two clusters get the same name, another class may have no cluster; all its samples are then
    removed and the class is lost. `lost_class: keep` keeps such samples.

    Poison with correct labels agrees with its cluster and is not removed (section 5.7); `then`
    adds a detector that searches the remaining samples for it.
    """

    paper: ClassVar[Paper] = Paper(
        "Luo et al. (2025)",
        "Just a little human intelligence feedback! Unsupervised learning assisted supervised "
        "learning data poisoning based backdoor removal",
        "https://doi.org/10.1016/j.comcom.2025.108052",
    )

    clustering: Literal["auto", "moco", "kmeans", "given"] = "auto"
    """Features that k-means clusters. auto: MoCo's for images, the inputs themselves otherwise
    (section 4.1.3); given: those of a network with the weights of a file."""
    embedder: Literal["resnet18", "vgg16", "inception_v4", "vit_b_16", "swin"] = "resnet18"
    """The network for `clustering: given`."""
    embedding: str = ""
    """The file of its weights for `clustering: given`, with the names of torchvision or timm."""
    clusters_per_class: Annotated[int, Field(ge=1)] = 1
    """Number of clusters for each class; 1 is the paper's. More are purer but need more
    inspections."""
    components: Annotated[int, Field(ge=0)] = 50
    """Number of principal components of the inputs (for texts, of the tf-idf of their words) that
    are clustered; 0 clusters the inputs themselves."""
    tagger: Literal["majority", "model"] = "majority"
    """majority: a cluster has the class of most of its inspected members; model: our own variant,
    in which a classifier fitted to the inspected samples gives every sample its class."""
    lost_class: Literal["remove", "keep"] = "remove"
    """Treatment of samples predicted as a class that no cluster is named after."""
    annotator: Literal["oracle", "recorded"] = "oracle"
    """oracle: knows the true class; recorded: reads the answers in a file by `bench label`."""
    tags: str = ""
    """The file of answers for `annotator: recorded`."""
    careless: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of an oracle's inspections that name a wrong class."""
    most: Annotated[int, Field(ge=1)] = MOST
    """Largest number of inspections of a cluster (section 3.2)."""
    adaptive: bool = True
    """Whether inspections of a cluster end early if its members agree; False takes `most`."""
    then: Literal["nothing", "scan"] = "nothing"
    """scan: a classifier is trained on the remaining samples and SCAn searches them for poison
    (section 5.7 proposes ASSET for this). It needs clean samples, which LABOR does not."""
    version: Version = "v1"
    """Version of MoCo; the paper takes v2 for ImageNet (section 5.1)."""
    epochs: Annotated[int, Field(ge=1)] = 200
    """Epochs of MoCo; the paper gives none, 200 is He et al.'s."""
    flip: bool = True
    """Whether MoCo's views are mirrored."""

    def files(self, weights: WeightsFolder) -> tuple[Path, ...]:
        """The tags decide, and the network given, wherever they lie."""
        del weights
        tags = (Path(self.tags),) if self.annotator == "recorded" else ()
        return (*tags, Path(self.embedding)) if self.clustering == "given" else tags

    def defend(self, task: PoisoningTask, context: Context) -> Defence:
        """Cluster the samples, name the clusters, compare names and predictions."""
        features = self._features(task, context)
        cluster = self._clusters(features, task, context)
        answers = self._answers(self._queue(cluster, task, context), task)
        votes = self._votes(features, cluster, answers, len(task.classes))
        predictions = context.predict(task.victim, task.train.inputs).argmax(dim=1).cpu()
        tags = votes.argmax(dim=1).masked_fill(votes.sum(dim=1) == 0, -1)
        flagged = tags != predictions
        lost = sorted(set(range(len(task.classes))) - set(tags.tolist()))
        context.chosen["clusters"] = int(cluster.max()) + 1
        if lost:
            context.chosen["classes without a cluster"] = ", ".join(task.classes[c] for c in lost)
            if self.lost_class == "keep":
                flagged &= ~torch.isin(predictions, torch.tensor(lost))
        suspicion = 1 - votes.gather(1, predictions[:, None])[:, 0]
        if self.then == "scan":
            flagged = self._scanned(task, context, flagged)
        # The model gives names to samples and not to clusters.
        named = cluster if self.tagger == "majority" else None
        return Defence(flagged=flagged, suspicion=suspicion, tags=tags, clusters=named)

    def queue(self, task: PoisoningTask, context: Context) -> Queue:
        """The inspections that `defend` asks for on this task and seed, for `bench label`."""
        clusters = self._clusters(self._features(task, context), task, context)
        return self._queue(clusters, task, context)

    def _scanned(self, task: PoisoningTask, context: Context, flagged: Tensor) -> Tensor:
        """The samples that are flagged, or that SCAn flags among the others (section 5.7)."""
        rows = (~flagged).nonzero()[:, 0]
        rest = task.train.subset(rows.to(task.device))
        model = context.train(task.new_model(), rest, plain_loss, stage="after the looks")
        scanned = contaminated(model, rest, task.reserve, context, classes=len(task.classes))
        context.chosen["found afterwards"] = int(scanned.flagged.sum())
        flagged = flagged.clone()
        flagged[rows[scanned.flagged.cpu()]] = True
        return flagged

    def _features(self, task: PoisoningTask, context: Context) -> Tensor:
        """The features that are clustered, [n, width] float32 on the CPU."""
        moco = self.clustering == "moco" or (self.clustering == "auto" and task.kind == "image")
        if moco or self.clustering == "given":
            encoder = self._moco(task, context) if moco else self._given(task)
            features = context.predict(encoder, task.train.inputs)
            return torch.nn.functional.normalize(features, dim=1).cpu()
        if task.kind == "text":
            return topics(task.train.x.cpu(), task.shape[1], self.components)
        x = task.train.x.flatten(1).float().cpu()
        return principal(x, self.components) if self.components else x

    def _given(self, task: PoisoningTask) -> torch.nn.Module:
        """A network with the weights of a file, without its head."""
        if task.kind != "image":
            raise Skip(f"{self.embedder} knows images, and this data holds none")
        check_shape(self.embedder, task.shape)
        model = network(self.embedder, task.shape, 1, task.seed, task.device, self.embedding)
        return torch.nn.Sequential(model.encoder, model.neck)

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
        return context.shared_model("moco", decided_by, blank, build)

    def _clusters(self, features: Tensor, task: PoisoningTask, context: Context) -> Tensor:
        """The cluster of each sample by k-means++ (section 4.1.3), [n] int64."""
        from sklearn.cluster import KMeans  # noqa: PLC0415 - slow to import
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        state = int(torch.randint(2**31, (), generator=context.generator("labor/k-means")))
        k = self.clusters_per_class * len(task.classes)
        if k > len(features):
            raise Skip(f"{k} clusters of {len(features)} samples cannot be")
        # Sums on several threads, and so the clusters, may differ between runs.
        with threadpool_limits(1):
            k_means = KMeans(k, init="k-means++", n_init=1, max_iter=ITERATIONS, tol=TOLERANCE,
                             random_state=state)  # fmt: skip
            return torch.from_numpy(k_means.fit_predict(features.numpy()).astype(np.int64))

    def _queue(self, cluster: Tensor, task: PoisoningTask, context: Context) -> Queue:
        """The samples to inspect: members in random order, the largest cluster first."""
        shuffled = torch.randperm(len(cluster), generator=context.generator("labor/looks"))
        members = {
            number: shuffled[cluster[shuffled] == number].tolist()
            for number in range(int(cluster.max()) + 1)
        }
        return Queue.of(task.name, task.classes, members, self.most, adaptive=self.adaptive)

    def _answers(self, queue: Queue, task: PoisoningTask) -> dict[int, int]:
        """Row -> class of the samples that were inspected and recognised."""
        human = task.human(self.annotator, self.careless, self.tags)
        answers = [inspected(cluster, human.tag, queue.most) for cluster in queue.clusters]
        return {row: tag for tags in answers for row, tag in tags.items() if tag is not None}

    def _votes(
        self, features: Tensor, cluster: Tensor, answers: dict[int, int], classes: int
    ) -> Tensor:
        """Votes of each sample for each class, [n, classes]; rows sum to 1, or to 0 if unnamed."""
        if self.tagger == "model":
            return fitted(features, answers, classes)
        rows = torch.tensor(list(answers), dtype=torch.long)
        named = torch.tensor(list(answers.values()), dtype=torch.long)
        count = torch.zeros(int(cluster.max()) + 1, classes)
        count.index_put_((cluster[rows], named), torch.ones(len(rows)), accumulate=True)
        return (count / count.sum(dim=1, keepdim=True).clamp_min(1))[cluster]


def principal(x: Tensor, components: int) -> Tensor:
    """The first principal components of inputs [n, d], [n, at most `components`] float32."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to import

    count = min(components, *x.shape)
    return torch.from_numpy(PCA(count, random_state=0).fit_transform(x.numpy())).float()


def topics(x: Tensor, words: int, components: int) -> Tensor:
    """Tf-idf of texts, reduced by a truncated singular value decomposition, as unit vectors.

    Args:
        x: token ids, [n, length]; 0 pads and 1 is an unknown word.
        words: size of the vocabulary.
        components: number of dimensions, or 0 for the unreduced tf-idf.
    """
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - slow to import
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415
    from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415

    known = x > 1
    row = torch.arange(len(x))[:, None].expand_as(x)
    ones = np.ones(int(known.sum()), np.float32)
    count = csr_matrix((ones, (row[known].numpy(), x[known].numpy())), shape=(len(x), words))
    tf_idf = TfidfTransformer(sublinear_tf=True).fit_transform(count)
    if not components:
        return torch.from_numpy(tf_idf.toarray()).float()
    reduced = TruncatedSVD(min(components, words - 1), random_state=0).fit_transform(tf_idf)
    return torch.nn.functional.normalize(torch.from_numpy(reduced).float(), dim=1)


def fitted(features: Tensor, answers: dict[int, int], classes: int) -> Tensor:
    """Class probabilities by a support vector machine fitted to inspected samples, [n, classes].

    Args:
        features: [n, width].
        answers: row -> class of the inspected samples.
        classes: their number.
    """
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - slow to import
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
    from sklearn.svm import SVC  # noqa: PLC0415

    rows, named = list(answers), list(answers.values())
    votes = torch.zeros(len(features), classes)
    if len(set(named)) < 2:
        votes[:, named[:1]] = 1
        return votes
    model = make_pipeline(StandardScaler(with_std=False), SVC(C=10.0))
    model.fit(features[rows].numpy(), named)
    scores = torch.from_numpy(model.decision_function(features.numpy())).float()
    if scores.dim() == 1:  # for two classes there is a single score
        scores = torch.stack([-scores, scores], dim=1)
    votes[:, model.classes_.tolist()] = scores.softmax(dim=1)
    return votes
