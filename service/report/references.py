"""Where the measures and estimators of a report come from: what a paper that uses them cites."""

from __future__ import annotations

from typing import Final

REFERENCES: Final = (
    "A. N. Angelopoulos, S. Bates, C. Fannjiang, M. I. Jordan, T. Zrnic: Prediction-powered inference. "
    "Science 382, 2023.",
    "A. N. Angelopoulos, J. C. Duchi, T. Zrnic: PPI++: Efficient prediction-powered inference. 2023.",
    "J. Antoch, M. Hušková: Permutation tests in change point analysis. Statistics & Probability Letters 53, 2001.",
    "Y. Benjamini, Y. Hochberg: Controlling the false discovery rate. "
    "Journal of the Royal Statistical Society B 57, 1995.",
    "A. Z. Broder: On the resemblance and containment of documents. Compression and Complexity of Sequences, 1997.",
    "W. G. Cochran: Sampling Techniques. 3rd edition, Wiley, 1977.",
    "K. L. Gwet: Computing inter-rater reliability and its variance in the presence of high agreement. "
    "British Journal of Mathematical and Statistical Psychology 61, 2008.",
    "L. Kish: Survey Sampling. Wiley, 1965.",
    "K. Krippendorff: Content Analysis: An Introduction to Its Methodology. 2nd edition, Sage, 2004.",
    "J. Lin: Divergence measures based on the Shannon entropy. IEEE Transactions on Information Theory 37, 1991.",
    "M. Mitchell, S. Wu, A. Zaldivar, P. Barnes, L. Vasserman, B. Hutchinson, E. Spitzer, I. D. Raji, T. Gebru: "
    "Model cards for model reporting. FAT*, 2019.",
    "B. L. Monroe, M. P. Colaresi, K. M. Quinn: Fightin' words: Lexical feature selection and evaluation for "
    "identifying the content of political conflict. Political Analysis 16, 2008.",
    "A. B. Olshen, E. S. Venkatraman, R. Lucito, M. Wigler: Circular binary segmentation for the analysis of "
    "array-based DNA copy number data. Biostatistics 5, 2004.",
    "R. Passonneau: Measuring agreement on set-valued items (MASI) for semantic and pragmatic annotation. LREC, 2006.",
    "C.-E. Särndal, B. Swensson, J. Wretman: Model Assisted Survey Sampling. Springer, 1992.",
    "A. J. Scott, M. Knott: A cluster analysis method for grouping means in the analysis of variance. "
    "Biometrics 30, 1974.",
    "N. Siddiqi: Credit Risk Scorecards. Wiley, 2006 (the population stability index).",
    "E. B. Wilson: Probable inference, the law of succession, and statistical inference. "
    "Journal of the American Statistical Association 22, 1927.",
    "K. J. Worsley: The power of likelihood ratio and cumulative sum tests for a change in a binomial probability. "
    "Biometrika 70, 1983.",
    "T. Zrnic, E. J. Candès: Cross-prediction-powered inference. PNAS 121, 2024.",
)
"""In the order of the alphabet."""
