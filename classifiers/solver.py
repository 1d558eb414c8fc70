"""Logistic regressions of many tags on the same rows, all at once.

The rows are ``scaled counts of words @ terms of words``: both factors are sparse, and their product, which has
ten times the entries, is never made.  Every tag has its own problem, its own curvature and its own step; they
share the two passes over the data of an iteration.  No random numbers, no threads: the same input gives the
same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from classifiers.features import Matrix

Floats32 = npt.NDArray[np.float32]
_MEMORY = 6
_STEPS = 3
_BIAS_PENALTY = 1e-3


class Design:
    """Rows of features as a product of sparse factors, from left to right; the last has a column a term."""

    def __init__(self, factors: Sequence[Matrix]) -> None:
        self._factors = tuple(factors)
        self._transposed = tuple(factor.T.tocsr() for factor in factors)
        self.n_rows, self.n_terms = factors[0].shape[0], factors[-1].shape[1]

    def times(self, weights: Floats32) -> Floats32:
        """Return rows @ weights, shape (n_rows, n_tags)."""
        for factor in reversed(self._factors):
            weights = factor @ weights
        return weights

    def transposed_times(self, rows: Floats32) -> Floats32:
        """Return rows' features.T @ rows, shape (n_terms, n_tags)."""
        for factor in self._transposed:
            rows = factor @ rows
        return rows


@dataclass(frozen=True, slots=True)
class Targets:
    """Weights of n_rows rows for every tag, both (n_rows, n_tags): of bearing it (``yes``) and of not (``no``)."""

    yes: Floats32
    no: Floats32

    def with_weights(self, weight: float) -> Targets:
        """Return the same rows, all of them counting ``weight`` times as much."""
        return Targets(np.float32(weight) * self.yes, np.float32(weight) * self.no)

    @staticmethod
    def joined(parts: Sequence[Targets]) -> Targets:
        """Return the rows of all parts, one after the other."""
        return Targets(
            np.concatenate([part.yes for part in parts]), np.concatenate([part.no for part in parts])
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights (n_terms, n_tags) and biases (n_tags,), float32."""

    weights: Floats32
    bias: Floats32


@dataclass(frozen=True, slots=True)
class Effort:
    """When to stop: after so many iterations, or when every tag's gradient is this small beside its first one."""

    max_iterations: int
    tolerance: float


def fit_logistic(design: Design, targets: Targets, inverse_penalty: float, effort: Effort) -> Fitted:
    """Minimise, for each tag, ``sum yes ln(1 + e^-z) + no ln(1 + e^z) + |w|^2 / (2 C)`` over ``z = X w + b``.

    Limited-memory BFGS with an exact line search, which needs no further pass over the data since ``z`` is
    linear in the step.

    Parameters
    ----------
    inverse_penalty
        ``C``.
    """
    yes, no = targets.yes, targets.no
    total = yes + no
    rate = np.clip(yes.sum(0) / np.maximum(total.sum(0), 1e-12), 1e-4, 1 - 1e-4)
    problem = _Problem(design, total, yes, np.float32(1 / inverse_penalty))
    # The last row of all parameters is the bias.
    point = np.zeros((design.n_terms + 1, yes.shape[1]), dtype=np.float32)
    point[-1] = np.log(rate / (1 - rate))
    scores = np.broadcast_to(point[-1], yes.shape).astype(np.float32)
    gradient = problem.gradient(point, scores)
    least = effort.tolerance * np.sqrt(_dot(gradient, gradient))
    history: deque[tuple[Floats32, Floats32, Floats32]] = deque(maxlen=_MEMORY)
    for _ in range(effort.max_iterations):
        direction = _direction(gradient, history)
        ahead = design.times(direction[:-1]) + direction[-1]
        step = problem.step(point, direction, scores, ahead)
        move = step * direction
        point += move
        scores += step * ahead
        new = problem.gradient(point, scores)
        change = new - gradient
        curvature = _dot(move, change)
        history.append((move, change, np.where(curvature > 0, 1 / np.maximum(curvature, 1e-30), 0)))
        gradient = new
        if (np.sqrt(_dot(gradient, gradient)) <= least).all():
            break
    return Fitted(np.ascontiguousarray(point[:-1]), point[-1].copy())


@dataclass(frozen=True, slots=True)
class _Problem:
    design: Design
    total: Floats32
    yes: Floats32
    penalty: np.float32

    def gradient(self, point: Floats32, scores: Floats32) -> Floats32:
        error = self.total * expit(scores) - self.yes
        found = np.empty_like(point)
        found[:-1] = self.design.transposed_times(error)
        found[:-1] += self.penalty * point[:-1]
        found[-1] = error.sum(0) + np.float32(_BIAS_PENALTY) * point[-1]
        return found

    def step(self, point: Floats32, direction: Floats32, scores: Floats32, ahead: Floats32) -> Floats32:
        """Return how far to go for the least loss, shape (n_tags,), by Newton's method along the line."""
        slope = self.penalty * _dot(point[:-1], direction[:-1]) + np.float32(_BIAS_PENALTY) * (
            point[-1] * direction[-1]
        )
        bend = self.penalty * _dot(direction[:-1], direction[:-1]) + np.float32(_BIAS_PENALTY) * (
            direction[-1] ** 2
        )
        step = np.zeros(point.shape[1], dtype=np.float32)
        for _ in range(_STEPS):
            chance = expit(scores + step * ahead)
            first = ((self.total * chance - self.yes) * ahead).sum(0) + slope + step * bend
            second = (self.total * chance * (1 - chance) * ahead**2).sum(0) + bend
            step -= np.where(second > 0, first / np.maximum(second, 1e-30), 0)
            np.clip(step, 0, 1e4, out=step)
        return step


def _direction(
    gradient: Floats32, history: Sequence[tuple[Floats32, Floats32, Floats32]] | deque[tuple[Floats32, ...]]
) -> Floats32:
    """Return the direction of limited-memory BFGS, tag by tag (Nocedal and Wright, algorithm 7.4)."""
    found = -gradient
    factors = []
    for move, change, inverse in reversed(history):
        factor = inverse * _dot(move, found)
        found -= factor * change
        factors.append(factor)
    if history:
        move, change, inverse = history[-1]
        length = _dot(change, change)
        found *= np.where((inverse > 0) & (length > 0), 1 / np.maximum(inverse * length, 1e-30), 1)
    for (move, change, inverse), factor in zip(history, reversed(factors), strict=True):
        found += (factor - inverse * _dot(change, found)) * move
    return found


def _dot(left: Floats32, right: Floats32) -> Floats32:
    """Return the inner product of every column, shape (n_tags,)."""
    return np.asarray(np.einsum("dt,dt->t", left, right), dtype=np.float32)
