"""Pictures, by what is on their axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import autograd
import nn
import optim
from nn import keras

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402

from nn import plot  # noqa: E402


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def luminance(colour: str) -> float:
    c = np.array(to_rgb(colour))
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colour", plot.PALETTE)
def test_colours_can_be_read_on_white_and_on_dark(colour: str):
    light, dark, own = luminance("#ffffff"), luminance("#1e1e1e"), luminance(colour)
    assert (light + 0.05) / (own + 0.05) >= 3
    assert (own + 0.05) / (dark + 0.05) >= 3


# Training curves


def lines(ax) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}


def test_curves_of_a_list_and_of_a_dict():
    ax = plot.training_curves([3, 2, 1])
    assert lines(ax) == {"loss": [3, 2, 1]}
    assert list(ax.get_lines()[0].get_xdata()) == [1, 2, 3]
    assert ax.get_ylabel() == "loss"
    ax = plot.training_curves({"loss": [1, 2], "val_loss": [3, 4], "accuracy": [0, 1]}, log=True)
    loss, val, accuracy = ax.get_lines()
    assert loss.get_color() == val.get_color() != accuracy.get_color()
    assert (loss.get_linestyle(), val.get_linestyle()) == ("-", "--")
    assert ax.get_yscale() == "log"


def test_curves_of_chosen_names_on_given_axes():
    given = plt.subplots()[1]
    ax = plot.training_curves({"loss": [1], "val_loss": [2], "mae": [3]}, ["loss"], ax=given)
    assert ax is given
    assert set(lines(ax)) == {"loss", "val_loss"}
    with pytest.raises(KeyError, match="'acc' was not recorded, only"):
        plot.training_curves({"loss": [1]}, ["acc"])
    with pytest.raises(ValueError, match="nothing was recorded"):
        plot.training_curves({})


def small_keras():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)


@pytest.mark.parametrize("seconds", [0, 1e9])
def test_live_curves_end_with_what_fit_recorded(seconds: float):
    live = plot.LiveCurves(seconds=seconds)
    history = small_keras().fit(X, X[:, :1], epochs=4, verbose=0, callbacks=[live])
    assert live.history == history.history
    assert lines(live.ax) == lines(plot.training_curves(history)) == history.history
    small_keras().fit(X, X[:, :1], epochs=2, verbose=0, callbacks=[live])
    assert len(live.history["loss"]) == 2


def test_live_curves_in_a_loop_of_ones_own():
    live = plot.LiveCurves(["loss"], seconds=1e9)
    for value in (3.0, 2.0):
        live.add(loss=value, other=autograd.tensor(0.0))
    assert lines(live.ax) == {"loss": [3.0]}  # the second is not drawn yet
    live.close()
    assert lines(live.ax) == {"loss": [3.0, 2.0]}


# Decision boundary


def score(w1: float, w2: float, b: float):
    return lambda x: x @ autograd.tensor([[float(w1)], [float(w2)]]) + b


def test_boundary_runs_where_the_score_is_the_threshold():
    ax = plot.decision_boundary(score(1, 0, -0.5), X, X[:, 0], bounds=(-1, 2, -1, 2))
    image = np.asarray(ax.get_images()[0].get_array())
    assert image.shape == (150, 150)
    assert image[0, 0] == pytest.approx(-1.5)
    assert image[0, -1] == image[-1, -1] == pytest.approx(1.5)
    (contour,) = [c for c in ax.collections if hasattr(c, "levels")]
    assert np.allclose(contour.get_paths()[0].vertices[:, 0], 0.5, atol=1e-6)
    assert (*ax.get_xlim(), *ax.get_ylim()) == (-1, 2, -1, 2)
    points = [c.get_offsets().data for c in ax.collections if c is not contour]
    assert [p.tolist() for p in points] == [X[X[:, 0] == i].tolist() for i in (0, 1)]


def test_boundary_of_probabilities_and_of_a_given_threshold():
    model = score(1, 0, -0.5)
    ax = plot.decision_boundary(lambda x: model(x).sigmoid(), X, X[:, 0])
    assert next(c for c in ax.collections if hasattr(c, "levels")).levels == [0.5]
    ax = plot.decision_boundary(model, X, X[:, 0], threshold=0.25)
    assert next(c for c in ax.collections if hasattr(c, "levels")).levels == [0.25]
    ax = plot.decision_boundary(lambda x: x[:, 0] * 0, X, X[:, 0])  # one answer everywhere
    assert not [c for c in ax.collections if hasattr(c, "levels")]


def test_boundary_of_several_classes_is_the_largest_output():
    w = autograd.tensor([[1.0, 0, -1], [0, 1, -1]])
    ax = plot.decision_boundary(lambda x: x @ w, X, [0, 1, 2, 0], bounds=(-1, 1, -1, 1))
    image = np.asarray(ax.get_images()[0].get_array())
    assert (image[0, 0], image[0, -1], image[-1, 0]) == (2, 0, 1)


def test_boundary_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 1))
    model[2].eval()
    before = plot.snapshot(model)
    plot.decision_boundary(model, X, X[:, 0])
    assert [m.training for m in model] == [True, True, False, True]
    assert all(autograd.equal(before[k], v) for k, v in model.state_dict().items())
    plot.decision_boundary(small_keras(), X, X[:, 0])
    plot.decision_boundary(nn.Linear(2, 1, dtype=autograd.float64), X, X[:, 0])


@pytest.mark.parametrize(
    ("model", "x", "y", "message"),
    [
        (score(1, 1, 0), np.zeros((4, 3)), np.zeros(4), r"x is \(4, 3\) and y has 4 classes"),
        (score(1, 1, 0), X, np.zeros(3), "y has 3 classes"),
        (score(1, 1, 0), X[:0], np.zeros(0), r"x is \(0, 2\)"),
        (lambda x: x.sum(), X, np.zeros(4), r"the model gave \(\) for inputs \(22500, 2\)"),
    ],
)
def test_boundary_refuses(model, x, y, message: str):
    with pytest.raises(ValueError, match=message):
        plot.decision_boundary(model, x, y)


# Moving pictures


def test_animation_shows_each_state_and_gives_the_model_back():
    model = nn.Linear(2, 1)
    states = []
    for slope in (1.0, -1.0):
        with autograd.no_grad():
            model.weight.copy_(autograd.tensor([[slope, 0.0]]))
            model.bias.zero_()
        states.append(plot.snapshot(model))
    with autograd.no_grad():
        model.weight.fill_(7.0)
    film = plot.animate_boundary(model, states, X, X[:, 0], titles=["up", "down"], resolution=9)
    assert model.weight.tolist() == [[7.0, 7.0]]
    ax = film._fig.axes[0]
    for i, title in enumerate(("up", "down", "up")):
        film._func(i % 2)
        (image,) = ax.get_images()
        left, right = np.asarray(image.get_array())[0, [0, -1]]
        assert (left < right) == (title == "up")
        assert ax.get_title() == title
    gif = plot.Gif(film, fps=2)
    assert gif.data[:6] == b"GIF89a"
    assert gif._repr_html_().startswith('<img alt="animation" src="data:image/gif;base64,R0lGOD')


def test_a_snapshot_is_a_copy():
    model = nn.Linear(2, 1)
    state = plot.snapshot(model)
    with autograd.no_grad():
        model.weight.add_(1.0)
    assert autograd.allclose(state["weight"] + 1, model.weight)
    assert not state["weight"].requires_grad


def test_animation_refuses_no_states_and_too_few_titles(tmp_path: Path):
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="0 states"):
        plot.animate_boundary(model, [], X, X[:, 0])
    with pytest.raises(ValueError, match="1 states and 2 titles"):
        plot.animate_boundary(model, [plot.snapshot(model)], X, X[:, 0], titles=["a", "b"])
    film = plot.animate_boundary(model, [plot.snapshot(model)], X, X[:, 0], resolution=5)
    plot.Gif(film).save(tmp_path / "film.gif")
    assert (tmp_path / "film.gif").read_bytes()[:3] == b"GIF"


# Confusion matrix


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_confusion_matrix_counts_rows_of_the_truth():
    ax = plot.confusion_matrix([0, 0, 1, 2], [0, 1, 1, 1])
    assert texts(ax) == ["1", "1", "0", "0", "1", "0", "0", "1", "0"]
    assert np.asarray(ax.get_images()[0].get_array()).tolist() == [
        [0.5, 0.5, 0],
        [0, 1, 0],
        [0, 1, 0],
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("answer", "true class")


def test_confusion_matrix_of_scores_with_names_and_shares():
    scores = autograd.tensor([[9.0, 0, 0], [0, 0, 9]], requires_grad=True)
    ax = plot.confusion_matrix(autograd.tensor([0, 0]), scores, ["a", "b", "c"], normalize=True)
    assert texts(ax) == ["0.50", "0.00", "0.50", *["0.00"] * 6]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("true", "answers", "names", "message"),
    [
        ([0, 1], [0], None, "2 true classes and 1 answers"),
        ([], [], None, "0 true classes"),
        ([0, 1], [0.2, 0.9], None, "y_pred holds float64"),
        ([-1, 1], [1, 1], None, "y_true holds int64 from -1"),
        ([0, 2], [1, 1], ["a", "b"], "2 names for 3 classes"),
    ],
)
def test_confusion_matrix_refuses(true, answers, names, message: str):
    with pytest.raises(ValueError, match=message):
        plot.confusion_matrix(true, answers, names)


# Weight images


def test_weight_images_are_laid_out_row_by_row():
    weight = np.arange(1.0, 13).reshape(3, 4)
    weight[1] *= -1
    mosaic = np.ma.filled(plot.weight_images(weight).get_images()[0].get_array(), np.nan)
    assert mosaic.shape == (5, 5)
    assert np.allclose(mosaic[:2, :2], weight[0].reshape(2, 2) / 4)
    assert np.allclose(mosaic[:2, 3:], weight[1].reshape(2, 2) / 8)
    assert np.isnan(mosaic[2]).all()
    assert np.isnan(mosaic[3:, 3:]).all()
    one = plot.weight_images(np.zeros((9, 6)), (2, 3), most=1).get_images()[0]
    assert one.get_array().shape == (2, 3)


@pytest.mark.parametrize(
    ("weight", "shape", "message"),
    [
        (np.zeros((2, 5)), None, "5 inputs do not make a 2 x 2 picture; give shape"),
        (np.zeros((2, 6)), (2, 2), "6 inputs do not make a 2 x 2 picture; expected"),
        (np.zeros(4), None, r"weight is \(4,\)"),
        (np.zeros((0, 4)), None, r"weight is \(0, 4\)"),
    ],
)
def test_weight_images_refuse(weight, shape, message: str):
    with pytest.raises(ValueError, match=message):
        plot.weight_images(weight, shape)


# Histograms


def test_histograms_count_zeros_and_what_is_not_finite():
    values = {"a": [0.0, 0.0, 1.0, -1.0], "b": [np.nan, np.inf, 3.0], "c": [np.nan]}
    ax = plot.histograms(values, bins=4)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    assert texts(ax) == ["std 0.71\n50% zero", "std 0\n2 not finite", "1 not finite"]
    heights, edges, _ = ax.patches[0].get_data()
    assert edges.tolist() == [-1, 0, 1, 2, 3]
    assert heights.tolist() == [0.85, 0, 0.85, 0]
    with pytest.raises(ValueError, match="no finite value"):
        plot.histograms({"a": [np.nan]})


def names(ax) -> list[str]:
    return [t.get_text() for t in ax.get_yticklabels()]


def test_activation_histograms_see_each_layer_and_leave_no_hook():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Dropout(0.5), nn.Linear(3, 1))
    ax = plot.activation_histograms(model, X)
    assert names(ax) == ["0 Linear", "1 ReLU", "2 Dropout", "3 Linear"]
    assert texts(ax)[1] == texts(ax)[2]  # evaluation: dropout does nothing
    assert names(plot.activation_histograms(model, X, nn.ReLU)) == ["1 ReLU"]
    assert all(m.training and not m._forward_hooks for m in model)
    assert names(plot.activation_histograms(small_keras(), X))[-1].endswith(" Dense")
    assert names(plot.activation_histograms(nn.Linear(2, 1), X)) == ["model Linear"]
    with pytest.raises(ValueError, match=r"no module of .*Tanh"):
        plot.activation_histograms(model, X, nn.Tanh)


def test_activation_histograms_in_training_mode():
    autograd.manual_seed(0)
    model = nn.Sequential(nn.Identity(), nn.Dropout(0.5))
    plain, dropped = texts(plot.activation_histograms(model, np.ones((1, 1000)), training=True))
    assert plain == "std 0"
    assert "zero" in dropped


def test_gradient_histograms_take_the_gradients_there_are():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    with pytest.raises(ValueError, match=r"call backward\(\) first"):
        plot.gradient_histograms(model)
    model(autograd.tensor(X)).sum().backward()
    assert names(plot.gradient_histograms(model)) == ["0.weight", "1.weight"]
    assert len(names(plot.gradient_histograms(model, weights_only=False))) == 4


# Learning rates


def rates(ax) -> list[list[float]]:
    return [list(line.get_ydata()) for line in ax.get_lines()]


def test_a_scheduler_is_run_on_a_copy():
    parameter = nn.Parameter(autograd.ones(1))
    optimizer = optim.SGD([parameter], lr=1.0)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)
    before = scheduler.state_dict()
    assert np.allclose(rates(plot.learning_rates(scheduler, 5)), [[1, 1, 0.1, 0.1, 0.01]])
    assert scheduler.state_dict() == before
    assert optimizer.param_groups[0]["lr"] == 1.0
    parameter.grad = autograd.ones(1)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert np.allclose(rates(plot.learning_rates(scheduler, 2)), [[0.1, 0.1]])


def test_rates_of_every_group_of_functions_and_of_the_keras_face():
    groups = [{"params": [nn.Parameter(autograd.ones(1))], "lr": lr} for lr in (1.0, 0.5)]
    cosine = optim.lr_scheduler.CosineAnnealingLR(optim.SGD(groups, lr=1.0), 2)
    assert np.allclose(rates(plot.learning_rates(cosine, 3)), [[1, 0.5, 0], [0.5, 0.25, 0]])
    decay = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    ax = plot.learning_rates({"decay": decay, "mine": lambda step: step + 1}, 3, log=True)
    assert np.allclose(rates(ax), [[1, 0.5, 0.25], [1, 2, 3]])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["decay", "mine"]
    with pytest.raises(ValueError, match="steps is 0"):
        plot.learning_rates(decay, 0)


def test_a_plateau_needs_its_metric():
    optimizer = optim.SGD([nn.Parameter(autograd.ones(1))], lr=1.0)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    ax = plot.learning_rates(plateau, 5, metrics=[1.0] * 5)
    assert np.allclose(rates(ax), [[1, 1, 1, 0.1, 0.1]])
    assert plateau.num_bad_epochs == 0
    with pytest.raises(ValueError, match="give metrics, 5 values"):
        plot.learning_rates(plateau, 5)


# Loss landscape


def grid(ax) -> tuple[np.ndarray, list[float]]:
    """Levels drawn, and the bounds of the axes."""
    (contour,) = [c for c in ax.collections if hasattr(c, "levels")]
    return contour.levels, [*ax.get_xlim(), *ax.get_ylim()]


def test_landscape_along_given_directions():
    model = nn.Linear(2, 1, bias=False)
    with autograd.no_grad():
        model.weight.zero_()
    seen = []

    def loss(out, y):
        seen.append(model.weight.tolist()[0])
        return (out - y).square().mean()

    directions = [[np.array([[1.0, 0.0]])], [np.array([[0.0, 1.0]])]]
    x, y = autograd.tensor(X), autograd.zeros(4, 1)
    ax = plot.loss_landscape(model, loss, x, y, span=2, points=3, directions=directions, levels=5)
    assert seen == [[a, b] for b in (-2.0, 0.0, 2.0) for a in (-2.0, 0.0, 2.0)]
    assert model.weight.tolist() == [[0.0, 0.0]]
    levels, bounds = grid(ax)
    assert bounds == [-2, 2, -2, 2]
    assert levels[0] <= 0
    assert levels[-1] >= 6  # at (2, 2): (0 + 4 + 4 + 16) / 4
    with pytest.raises(ValueError, match=r"expected two lists with the parameters' \[\(1, 2\)\]"):
        plot.loss_landscape(model, loss, x, y, directions=[[np.zeros((1, 2))]])


@pytest.mark.parametrize("face", ["torch", "keras"])
def test_landscape_directions_are_as_long_as_each_units_weights(face: str):
    if face == "torch":
        model = nn.Sequential(nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Linear(5, 1))
        find = lambda: model[0].weight.detach().numpy().copy()  # noqa: E731
    else:
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(5)])
        find = lambda: model.get_weights()[0].T.copy()  # noqa: E731
    own, seen = find(), []

    def loss(out, y):
        seen.append(find())
        return out.square().mean()

    before = plot.snapshot(model)
    plot.loss_landscape(model, loss, X, None, points=3, log=True)
    moved = seen[5] - own  # a = 1, b = 0
    assert np.allclose(np.linalg.norm(moved, axis=1), np.linalg.norm(own, axis=1), rtol=1e-5)
    assert all(autograd.equal(before[k], v) for k, v in model.state_dict().items())


def test_landscape_puts_the_weights_back_after_an_error():
    model = nn.Linear(2, 1)
    before, calls = plot.snapshot(model), []

    def loss(out, y):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("no")
        return out.sum()

    with pytest.raises(RuntimeError, match="no"):
        plot.loss_landscape(model, loss, X, None, points=5)
    assert all(autograd.equal(before[k], v) for k, v in model.state_dict().items())
