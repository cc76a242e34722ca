"""scikit-learn estimators that train on this engine; scikit-learn is an extra.

`MLPClassifier` and `MLPRegressor` have the arguments and the numbers of scikit-learn's own.
`KerasClassifier`, `KerasRegressor` and `KerasTransformer` wrap a model of `nn.keras`, as the
wrappers of Keras do.  All of them work in pipelines and searches.
"""

try:
    import sklearn as _sklearn
except ImportError:
    raise ImportError(
        "nn.sklearn needs scikit-learn, which is not installed: pip install 'tapegrad[sklearn]'"
    ) from None

from nn.sklearn.perceptron import MLPClassifier, MLPRegressor
from nn.sklearn.wrapped import KerasClassifier, KerasRegressor, KerasTransformer

__all__ = [
    "KerasClassifier",
    "KerasRegressor",
    "KerasTransformer",
    "MLPClassifier",
    "MLPRegressor",
]
