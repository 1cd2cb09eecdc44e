"""The imperceptibility track in words: its metrics with their formulas, and its rules."""

from __future__ import annotations

from bench.result import TrackInfo
from bench.tracks.imperceptibility.defences import BITS, QUALITIES
from bench.tracks.registry import metric

_OVER = " Mean over the successfully attacked images."
_MAPS = " between saliency maps before and after ({saliency})." + _OVER

INFO = TrackInfo(
    name="imperceptibility",
    reference="pgd",
    figures=["strips"],
    rank_by=["success_rate", "lpips", "l2"],
    stand_ins={"l2": "lpips"},
    ranking=(
        "Attacks are ranked by their success rate (higher is better) and by LPIPS (lower is "
        "better), or by L2 where LPIPS does not exist; the order of the table is the mean of "
        "both ranks."
    ),
    selection=(
        "Nothing is selected: attacks run as configured, on the test images that the classifier "
        "gets right; where the classifier was trained here, its epoch is chosen by accuracy on "
        "validation."
    ),
    metrics=[
        metric("success_rate", "Success", "higher", "Share of the images that were classified "
               "right and, attacked, no longer are (Table 3.1), by a new prediction on what was "
               "saved.", formula="P(Ŷ(x′) ≠ Y | Ŷ(x) = Y)", headline=True),
        metric("l1", "L1", "lower", "Sum of absolute differences of pixels in [0, 1]. The paper "
               "does not say whether failed attacks count; here they do not." + _OVER, unit="",
               formula="Σ_j |x′_j − x_j|"),
        metric("l2", "L2", "lower", "Root of the sum of squared differences." + _OVER, unit="",
               formula="√( Σ_j (x′_j − x_j)² )"),
        metric("linf", "L-infinity", "lower", "Largest difference of a pixel." + _OVER, unit="",
               formula="max_j |x′_j − x_j|"),
        metric("lpips", "LPIPS", "lower", "Zhang et al. (2018), version 0.1, with {lpips}." + _OVER,
               unit="", headline=True),
        metric("dists", "DISTS", "lower", "Ding et al. (2020)." + _OVER, unit=""),
        metric("ssim_distance", "1 − SSIM", "lower", "Wang et al. (2004), windows inside the "
               "image." + _OVER, unit="", formula="1 − SSIM(x, x′)"),
        metric("saliency_l1", "Saliency L1", "lower", "L1" + _MAPS, unit=""),
        metric("saliency_l2", "Saliency L2", "lower", "L2" + _MAPS, unit=""),
        metric("saliency_linf", "Saliency L-infinity", "lower", "L-infinity" + _MAPS, unit=""),
        metric("saliency_ssim_distance", "Saliency 1 − SSIM", "lower", "1 − SSIM" + _MAPS,
               unit=""),
        metric("success_8bit", "Success in 8 bits", "higher", "Success rate after a round trip "
               "through an 8-bit PNG."),
        *(metric(f"success_jpeg_{q}", f"Success after JPEG {q}", "higher",
                 f"Success rate after JPEG at quality {q} (Figure 3.5): also what the "
                 "compression itself spoils counts.") for q in QUALITIES),
        *(metric(f"success_bits_{b}", f"Success in {b} bits", "higher",
                 f"Success rate at {b} bits a channel (Figure 3.5): also what the reduction "
                 "itself spoils counts.") for b in BITS),
        metric("steps", "Gradient steps", "lower", "Times that an image passes through the "
               "classifier with gradients, counted outside the attack; mean over all attacked "
               "images.", unit=""),
        metric("seconds_per_image", "Seconds an image", "lower", "Time of the attack alone, "
               "over the number of images.", unit="s"),
        metric("seconds", "Seconds", "lower", "Time of the attack alone, all images.", unit="s"),
        metric("attacked", "Images", "", "Test images that were classified right, and attacked.",
               unit=""),
        metric("accuracy", "Accuracy before", "", "Share of the test images that the classifier "
               "gets right."),
    ],
)  # fmt: skip
"""The places {lpips} and {saliency} are filled by `judge.judged_with`."""
