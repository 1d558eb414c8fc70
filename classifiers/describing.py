"""All that a bundle says of itself to people: cards, plots, and out-of-fold scores for later comparisons."""

from __future__ import annotations

from classifiers.bundle_documents import dump_out_of_fold
from classifiers.card import model_card
from classifiers.curves import Unseen
from classifiers.dataset import Dataset
from classifiers.dataset_card import dataset_card
from classifiers.learning_curve import LearningCurve
from classifiers.manifest import CARD, DATASET_CARD, OUT_OF_FOLD
from classifiers.plots import plots
from classifiers.training import TrainedModel


def described(trained: TrainedModel, dataset: Dataset, curve: LearningCurve | None = None) -> dict[str, str]:
    """Return the documents of a bundle by file name.

    Parameters
    ----------
    dataset
        The one that the model was trained on.
    curve
        A learning curve, which costs trainings of its own; without one its plot is left out.
    """
    unseen = Unseen.of(trained, dataset)
    drawn = plots(unseen, curve)
    return {
        CARD: model_card(trained.model, unseen, list(drawn)),
        DATASET_CARD: dataset_card(dataset, trained.model.codebook),
        OUT_OF_FOLD: dump_out_of_fold(trained, dataset),
        **drawn,
    }
