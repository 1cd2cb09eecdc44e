"""LABOR: clusters, names, what is flagged, lost classes, and the price of careless people."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

import pytest
import torch
import torchvision

from bench.errors import Skip
from bench.learning.split import Split
from bench.methods.labor import Labor, fitted, principal, topics
from bench.models.backbones import Backbone
from bench.models.pretrained import MIRROR_ALONE
from bench.models.weights import IMAGENET
from bench.tracks.poisoning import Human, PoisoningTask
from bench.tracks.poisoning.human import Oracle, Recorded
from tests import tiny_poison, tiny_tasks

CPU = torch.device("cpu")


class Knows(Backbone):
    """A victim that says what it is told for each row of its input's last column."""

    def __init__(self, said: torch.Tensor) -> None:
        super().__init__(torch.nn.Identity(), torch.nn.Identity(), torch.nn.Linear(1, 1))
        self.said = said

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(self.said[x[:, -1].long()], 3).float()


def blobs(
    sizes: tuple[int, ...] = (40, 40, 40),
    poisoned: int = 6,
    centres: tuple[float, ...] = (0, 9, 18),
) -> tuple[PoisoningTask, torch.Tensor, torch.Tensor, list[Human]]:
    """Three clear groups on a line; some of classes 1 and 2 are taken for class 0."""
    truth = torch.cat([torch.full((n,), c) for c, n in enumerate(sizes)])
    x = torch.tensor(centres)[truth] + torch.randn(len(truth), generator=tiny_tasks.generator(0))
    said = truth.clone()
    mask = torch.zeros(len(truth), dtype=torch.bool)
    mask[(truth > 0).nonzero()[:, 0][:: max(1, sum(sizes[1:]) // max(poisoned, 1))][:poisoned]] = (
        True
    )
    said[mask] = 0
    # The row's number rides along, too small to matter to the clustering.
    inputs = torch.stack([x, x, torch.arange(len(truth)) * 1.0], dim=1)
    inputs[:, :2] *= 1000
    zeros = torch.zeros_like(truth)
    humans: list[Human] = []

    def human(kind: Literal["oracle", "recorded"], careless: float, path: str) -> Human:
        made: Human = (
            Recorded(Path(path), ("a", "b", "c"))
            if kind == "recorded"
            else Oracle(truth, 3, careless, tiny_tasks.generator(1))
        )
        humans.append(made)
        return made

    split = Split.of(inputs, said.clone(), zeros)
    task = PoisoningTask(
        name="blobs",
        kind="table",
        shape=(3,),
        classes=("a", "b", "c"),
        train=split,
        reserve=split,
        victim=Knows(said),
        human=human,
        backbone="mlp",
        seed=0,
        device=CPU,
    )
    return task, truth, mask, humans


def context() -> tiny_tasks.SpyContext:
    return tiny_tasks.context_on(tiny_tasks.table_task())


def test_what_the_classifier_sees_otherwise_than_its_cluster_is_flagged() -> None:
    task, truth, mask, humans = blobs()
    defence = Labor(components=0).defend(task, context())
    assert defence.flagged is not None
    assert defence.tags is not None
    assert torch.equal(defence.flagged, mask)
    assert torch.equal(defence.tags, truth)
    # Ten for each clean cluster of one size.
    assert sum(human.inspections for human in humans) == 30


def test_suspicion_ranks_poison_above_the_rest() -> None:
    task, _, mask, _ = blobs()
    defence = Labor(components=0).defend(task, context())
    assert defence.suspicion is not None
    assert defence.suspicion[mask].min() > defence.suspicion[~mask].max()


def test_a_class_without_a_cluster_is_lost_and_said_to_be_unless_it_is_kept() -> None:
    # Class c is a handful in the midst of b: no cluster will be named after it.
    task, truth, _, _ = blobs((60, 60, 4), poisoned=0, centres=(0, 90, 90.5))
    spy = context()
    lost = Labor(components=0).defend(task, spy)
    assert spy.chosen["classes without a cluster"] == "c"
    assert lost.flagged is not None
    assert lost.flagged[truth == 2].all()
    kept = Labor(components=0, lost_class="keep").defend(task, context())
    assert kept.flagged is not None
    assert not kept.flagged[truth == 2].any()


@pytest.mark.parametrize("tagger", ["majority", "model"])
def test_more_clusters_cost_more_inspections_and_find_the_same(
    tagger: Literal["majority", "model"],
) -> None:
    task, _, mask, humans = blobs()
    defence = Labor(components=0, clusters_per_class=3, tagger=tagger).defend(task, context())
    assert torch.equal(torch.as_tensor(defence.flagged), mask)
    assert humans[0].inspections > 30


def test_few_inspections_each_are_not_more_than_asked() -> None:
    task, _, _, humans = blobs()
    Labor(components=0, most=2).defend(task, context())
    assert humans[0].inspections == 6


def test_without_adapting_every_cluster_takes_all_its_looks() -> None:
    task, _, _, humans = blobs()
    found = Labor(components=0, most=17, adaptive=False).defend(task, context())
    assert humans[0].inspections == 3 * 17
    assert found.clusters is not None
    assert found.clusters.bincount().tolist() == [40, 40, 40]


def test_a_model_that_names_samples_names_no_clusters() -> None:
    task, _, _, _ = blobs()
    assert Labor(components=0, tagger="model").defend(task, context()).clusters is None


def test_careless_people_are_outvoted_until_they_are_too_many() -> None:
    task, _, mask, _ = blobs()
    slightly = Labor(components=0, careless=0.1).defend(task, context())
    assert torch.equal(torch.as_tensor(slightly.flagged), mask)
    wrecked = Labor(components=0, careless=0.95).defend(task, context())
    assert torch.as_tensor(wrecked.flagged).double().mean() > 0.5


def test_recorded_tags_do_what_the_oracle_did(tmp_path: Path) -> None:
    task, truth, _, _ = blobs()
    method = Labor(components=0)
    queue = method.queue(task, context())
    assert [cluster.size for cluster in queue.clusters] == [40, 40, 40]
    tags = {str(r): "abc"[truth[r]] for cluster in queue.clusters for r in cluster.rows}
    path = tmp_path / "tags.json"
    path.write_text(json.dumps({"tags": tags}))
    recorded = dataclasses.replace(method, annotator="recorded", tags=str(path))
    defence, oracle = recorded.defend(task, context()), method.defend(task, context())
    assert torch.equal(torch.as_tensor(defence.flagged), torch.as_tensor(oracle.flagged))


def test_the_content_of_the_tags_decides_the_key_of_a_result() -> None:
    assert Labor().files(MIRROR_ALONE) == ()
    assert Labor(annotator="recorded", tags="x.json").files(MIRROR_ALONE) == (Path("x.json"),)


def test_the_same_seed_asks_about_the_same_samples() -> None:
    task, _, _, _ = blobs()
    assert Labor().queue(task, context()) == Labor().queue(task, context())


def test_moco_wants_images() -> None:
    task, _, _, _ = blobs()
    with pytest.raises(Skip, match="views of images"):
        Labor(clustering="moco").defend(task, context())


def test_a_given_network_wants_images() -> None:
    task, _, _, _ = blobs()
    with pytest.raises(Skip, match="resnet18 knows images"):
        Labor(clustering="given", embedding="any.pth").defend(task, context())


def test_clusters_can_be_those_of_a_network_that_learned_elsewhere(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(weights=None)
    path = tmp_path / "learned.pth"
    torch.save(theirs.state_dict(), path)
    task = tiny_poison.poisoned("image").task
    spy = tiny_poison.context_on(task)
    labor = Labor(clustering="given", embedding=str(path))
    found = labor._features(task, spy)
    theirs.fc = torch.nn.Identity()
    pixels = task.train.x[:3].float() / 255
    mean, deviation = (torch.tensor(part).view(3, 1, 1) for part in IMAGENET)
    with torch.no_grad():
        expected = theirs.eval()((pixels - mean) / deviation)
    assert found.shape == (len(task.train), 512)
    assert torch.allclose(found[:3], torch.nn.functional.normalize(expected, dim=1), atol=1e-5)
    defence = labor.defend(task, spy)
    assert defence.flagged is not None
    assert spy.calls == []  # nothing was trained
    assert labor.files(MIRROR_ALONE) == (path,)


def test_on_images_the_features_are_mocos_and_variants_share_them(tmp_path: Path) -> None:
    tiny = tiny_tasks.image_task()
    task, _, _, _ = blobs()
    picture = dataclasses.replace(
        task, kind="image", shape=(3, 8, 8), train=tiny.train, backbone="small_cnn",
        classes=("a", "b"), victim=tiny.new_model(),
        human=lambda *_: Oracle(tiny.train.y, 2, 0.0, tiny_tasks.generator(0)),
    )  # fmt: skip
    first = tiny_tasks.context_on(tiny, tmp_path)
    Labor(epochs=1).defend(picture, first)
    assert [call.stage for call in first.calls] == ["moco"]
    second = tiny_tasks.context_on(tiny, tmp_path)
    Labor(epochs=1, clusters_per_class=2).defend(picture, second)
    assert second.calls == []
    assert second.shared_seconds == first.shared_seconds > 0


def test_more_clusters_than_samples_is_said() -> None:
    task, _, _, _ = blobs((4, 4, 4), poisoned=1)
    with pytest.raises(Skip, match="30 clusters of 12 samples"):
        Labor(components=0, clusters_per_class=10).defend(task, context())


def test_principal_components_keep_distances_of_what_varies() -> None:
    x = torch.zeros(30, 5)
    x[:, 1] = torch.arange(30.0)
    found = principal(x, 2)
    assert found.shape == (30, 2)
    assert torch.allclose(found[:, 0].diff().abs(), torch.ones(29), atol=1e-4)


def test_topics_ignore_padding_and_the_unknown_word() -> None:
    texts = torch.tensor([[2, 2, 3, 0], [3, 1, 1, 0], [4, 0, 0, 0]])
    counts = topics(texts, 5, 0)
    assert counts.shape == (3, 5)
    assert (counts[:, :2] == 0).all()
    assert torch.allclose(counts.norm(dim=1), torch.ones(3))
    assert counts[0, 2] > counts[0, 3] > 0


def test_topics_keep_texts_of_the_same_words_together() -> None:
    texts = torch.tensor([[2, 3, 2], [3, 2, 3], [4, 5, 4], [5, 4, 4]])
    found = topics(texts, 6, 2)
    near = found @ found.T
    assert near[0, 1] > 0.9 < near[2, 3]
    assert near[:2, 2:].abs().max() < 0.1


def test_a_tag_model_of_one_class_names_all_of_it() -> None:
    votes = fitted(torch.randn(5, 2), {0: 1, 3: 1}, 3)
    assert votes.argmax(1).tolist() == [1] * 5


# --- Followed by a detector of poison under its own label, section 5.7 ---


def with_its_own_label(seed: int = 0) -> tuple[PoisoningTask, torch.Tensor, torch.Tensor]:
    """Tiny pictures: some of the target's own carry a trigger, some of class 2 another of class 3.

    Returns:
        The task, the poison under its own label, the poison under another's.
    """
    made = tiny_poison.poisoned(each=60, poison=0, seed=seed)
    x, y = made.task.train.x.clone(), made.task.train.y.clone()
    own = (made.truth == tiny_poison.TARGET).nonzero()[:20, 0]
    other = (made.truth == 2).nonzero()[:12, 0]
    # As Turner et al. do: what is their own is hard to see, and the trigger is not.
    noise = torch.randint(0, 40, (20, 3, 8), generator=tiny_tasks.generator(5))
    x[own, :, 0] = noise.to(torch.uint8)
    x[own] = tiny_poison.with_trigger(x[own])
    x[other, :, 2:4, -1], y[other] = 255, 3  # another trigger
    train = tiny_poison.split(x, y)
    victim = tiny_poison.taught(made.task.new_model(), train, 20)
    task = tiny_poison.of("image", (3, 8, 8), train, made.task.reserve, victim, seed)
    truth = made.truth

    def sees_the_truth(annotator: str, careless: float, path: str) -> Human:
        del annotator, careless, path
        return Oracle(truth, tiny_poison.CLASSES, 0.0, tiny_tasks.generator(0))

    masks = [torch.zeros(len(y), dtype=torch.bool) for _ in range(2)]
    masks[0][own], masks[1][other] = True, True
    return dataclasses.replace(task, human=sees_the_truth), masks[0], masks[1]


def test_labor_sees_wrong_labels_and_cannot_see_poison_under_its_own_label() -> None:
    task, own, other = with_its_own_label()
    method = Labor(clustering="kmeans", clusters_per_class=4)
    alone = method.defend(task, tiny_poison.context_on(task, epochs=20)).flagged
    assert alone is not None
    assert alone[other].all()
    assert alone[own].double().mean() < 0.2


def test_followed_by_scan_it_finds_both() -> None:
    task, own, other = with_its_own_label()
    method = Labor(clustering="kmeans", clusters_per_class=4, then="scan")
    spy = tiny_poison.context_on(task, epochs=20)
    flagged = method.defend(task, spy).flagged
    assert flagged is not None
    assert flagged[other].all()
    assert flagged[own].double().mean() > 0.8
    assert flagged[~(own | other)].double().mean() < 0.1
    assert int(spy.chosen["found afterwards"]) >= 16
    alone = dataclasses.replace(method, then="nothing").defend(task, tiny_poison.context_on(task))
    assert alone.flagged is not None
    [call] = spy.calls
    assert (call.stage, len(call.split)) == ("after the looks", int((~alone.flagged).sum()))
