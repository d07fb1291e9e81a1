"""compile, fit, evaluate, predict."""

from contextlib import closing
from typing import Any

import numpy as np

from .. import config, losses, optimizers, tree
from ..callbacks import CallbackList, History, ProgbarLogger
from ..callbacks.base import Place, Training
from ..errors import NonFiniteError, check_flag, invalid, is_one_of, not_provided, show, unknown
from ..execute import NativeExecutor, OneBatch, switches
from ..layers.base import Structure
from . import data
from .arguments import as_list, check_batch_size, check_split, check_steps, frequency, whole
from .data import Samples, split
from .engine import Engine, Source
from .health import Health, examine
from .objective import Compiled, by_output, warn_of_binary_accuracy
from .programs import EVALUATE, PREDICT, TRAIN, compile_program, input_areas, output_areas
from .sources import DEFAULT_BATCH_SIZE, is_stream, plan_rows


class Trainer(Engine):
    """Training and prediction; `Model` inherits it."""

    # compile

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained.

        Parameters
        ----------
        optimizer : str, type or Optimizer, default "rmsprop"
        loss : str, type, callable or Loss; or a list or dict of them
            A callable ``f(y_true, y_pred)`` made with `fastnn.ops` returns one value per sample, or one for the
            batch, which then cannot be weighted. A model with several outputs takes one for all of them, or one for
            each, in a list or by their names in a dict; None leaves an output without.
        loss_weights : float, or a list or dict of float, optional
            Factors of the losses in their sum, which is trained; default: 1.
        metrics : list of str, type, callable or Metric, optional
            Reported unweighted. For several outputs a list or a dict of such lists.
        weighted_metrics : list, optional
            Reported with the sample weights.
        run_eagerly : bool, default False
            Compute with NumPy, batch by batch, the layers' ``call()`` anew for each: slow, to look into a model with
            prints or a debugger.
        steps_per_execution : int, default 1
            The hooks of callbacks for batches are called once per so many batches. Without such hooks many batches run
            at once in any case.
        jit_compile, auto_scale_loss
            How Keras executes; only its defaults are accepted.

        Examples
        --------
        >>> import fastnn
        >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(2,))])
        >>> model.compile("sgd", "mse", metrics=["mae"])
        """
        run_eagerly = check_flag("run_eagerly", run_eagerly)
        steps_per_execution = whole("steps_per_execution", steps_per_execution, 1)
        not_provided("auto", jit_compile=jit_compile)
        not_provided(True, auto_scale_loss=auto_scale_loss)
        made = Compiled(optimizers.get(optimizer), loss, loss_weights, metrics, weighted_metrics)
        if self.built:
            made.check(self.output_names)
        self._compiled = made
        self.optimizer, self.loss = made.optimizer, made.loss
        self.run_eagerly, self.steps_per_execution = run_eagerly, steps_per_execution
        self._changed()

    # fit

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | str | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        *,
        on_nonfinite: str | None = None,
    ) -> History:
        """Train for a number of epochs.

        Parameters
        ----------
        x : array_like of shape (samples, ...), a list or dict of them, or a stream of batches
            Any layout and numeric dtype; uint8 stays as it is and is converted batch by batch. A table with named
            columns is an array; later ones must have the same columns. A list is for the inputs of a model in their
            order, a dict (or a table) for them by their names. A stream is a generator,
            a `fastnn.utils.PyDataset`, or anything else that gives ``(x, y)`` or ``(x, y, sample_weight)``, such as
            a ``DataLoader``; targets and weights are then in it.
        y : array_like, or a list or dict of them
            Targets.
        batch_size : int or "full", default 32
            "full" takes all samples in each step, which then goes down the gradient of the whole data set;
            `optimizers.LBFGS` works with nothing else. Streams have batches already.
        epochs : int, default 1
            Number of the last epoch; training begins at `initial_epoch`.
        verbose : {"auto", 0, 1, 2}
            0 prints nothing, 1 a progress bar, 2 a line per epoch; "auto" is 1 on a terminal, else 2.
        callbacks : list of Callback, optional
        validation_split : float, default 0
            Part of the data, taken from the end, that is not trained on but evaluated.
        validation_data : tuple ``(x, y)`` or ``(x, y, sample_weight)``, or a stream, optional
        shuffle : bool, default True
            The order of an epoch is a function of the seed and the epoch's number. Of streams, only the batches of a
            `PyDataset` can be shuffled.
        class_weight : dict from class to weight, optional
            A class that is not in it has weight 1. Multiplied with `sample_weight`.
        sample_weight : array_like of shape (samples,), or a list or dict of them, optional
        initial_epoch : int, default 0
        steps_per_epoch : int, optional
            Batches of an epoch; the next one goes on where one ends. Default: all there are.
        validation_steps : int, optional
            Batches of a validation; default: all there are.
        validation_batch_size : int, optional
            Default: `batch_size`.
        validation_freq : int or collection of int, default 1
            Validate after every so many epochs, or after those with these numbers, counted from 1.
        on_nonfinite : {"raise", "skip", "ignore"}, default `fastnn.config.on_nonfinite()`, which is "raise"
            When loss or gradient are not finite: stop with `NonFiniteError` before any weight
            changes, leave out that step, or go on as Keras does.

        Returns
        -------
        History
            Also kept as ``model.history``.

        Raises
        ------
        ValueError, TypeError
            Something does not fit; nothing was changed.
        NonFiniteError
            See `on_nonfinite`.
        RuntimeError
            The model is not compiled, or is being trained by another thread.
        """
        self._require_compiled()
        batch_size = check_batch_size("batch_size", batch_size, x)
        steps = check_steps("steps_per_epoch", steps_per_epoch)
        validation_steps = check_steps("validation_steps", validation_steps)
        if validation_batch_size is not None:
            validation_batch_size = whole("validation_batch_size", validation_batch_size, 1)
        epochs, initial_epoch = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
        on_nonfinite = config.on_nonfinite() if on_nonfinite is None else on_nonfinite
        if not is_one_of(on_nonfinite, config.POLICIES):
            raise unknown("on_nonfinite", on_nonfinite, config.POLICIES)
        shuffle, validates = check_flag("shuffle", shuffle), frequency(validation_freq)
        validation_split = check_split(validation_split)
        if validation_split and is_stream(x):
            raise invalid("validation_split", show(validation_split), "0 for a stream", "pass validation_data")
        if validation_data is not None and not (
            is_stream(validation_data)
            or (isinstance(validation_data, (tuple, list)) and len(validation_data) in (2, 3))
        ):
            raise invalid(
                "validation_data",
                type(validation_data).__name__,
                "(x, y), (x, y, sample_weight) or a stream of such batches",
                "pass a tuple",
                TypeError,
            )
        with self._exclusively(), closing(ProgbarLogger(verbose)) as shown:
            source: Source
            validation: Samples | None = None
            if validation_split and validation_data is None:
                samples, validation = split(validation_split, self._samples(x, y, sample_weight))
                source = self._arrays(samples, batch_size, class_weight, shuffle=shuffle, steps=steps)
            else:
                source = self._source(
                    (x, y, sample_weight), batch_size, class_weight=class_weight, shuffle=shuffle, steps=steps
                )
            self.optimizer.prepare(source, self.trainable_variables, on_nonfinite)
            self._executor(TRAIN, source.rows, source.arrays, on_nonfinite != "ignore")
            assert self._objective is not None and self._compiled is not None
            self._warn_of_targets(source)
            if len(self.input_names) == 1:
                self.feature_names = data.column_names(x) or self.feature_names
            tested: Source | None = None
            if validation is not None:
                tested = self._arrays(validation, validation_batch_size or batch_size, steps=validation_steps)
            elif validation_data is not None:
                given = (validation_data, None, None) if is_stream(validation_data) else (*validation_data, None)[:3]
                arguments = tuple(f"validation_data[{i}]" for i in range(3))
                size = check_batch_size("validation_batch_size", validation_batch_size or batch_size, None)
                tested = self._source(given, size, arguments, steps=validation_steps)
            if tested is not None:
                self._executor(EVALUATE, tested.rows, tested.arrays)
            history = History()
            called = CallbackList(
                [*as_list(callbacks), history, shown],
                self,
                epochs=epochs,
                steps=source.batches,
                samples=source.samples,
                batch_size=source.batch_size,
                verbose=verbose,
                mode="fit",
                on_nonfinite=on_nonfinite,
            )
            self.stop_training, self.history = False, history
            called.on_train_begin()
            began = Place(initial_epoch), self.optimizer.iterations, self._trainable_flags()
            training = Training(self, called, source, tested, *began)
            place = called.resume(training)
            logs, done, first = place.logs, 0, place.batch
            for epoch in range(place.epoch, place.epoch if self.stop_training else epochs):
                if not first:
                    called.on_epoch_begin(epoch)
                logs = {}
                try:
                    for done, logs in self._run(source, epoch, called, TRAIN, on_nonfinite, first):
                        called.progress(done, logs)
                        if self.stop_training:
                            break
                        if source.batches is None or done < source.batches:
                            called.pause(training, Place(epoch, done, logs), done)
                except NonFiniteError as error:
                    if not called.ends_at(error):
                        raise
                    break
                if not logs:  # the stream has ended
                    break
                if tested is not None and validates(epoch + 1):
                    scores = self._evaluate(tested, called)
                    logs = logs | {f"val_{name}": value for name, value in scores.items()}
                called.on_epoch_end(epoch, logs)
                called.pause(training, Place(epoch + 1, 0, logs), done)
                if self.stop_training:
                    break
                first = 0
            self.optimizer.finalize_variable_values(self.trainable_variables)
            called.on_train_end(logs)
            called.ended()
            self._print_timings(TRAIN)
        return history

    def _warn_of_targets(self, source: Source) -> None:
        """Warn once where a metric does not mean what it seems to."""
        assert self._objective is not None and self._compiled is not None
        if not self._compiled.warned:
            areas = [f"{goal.area('y')} values" for goal in self._objective.goals]
            found = [source.arrays.get(area) for area in areas]
            self._compiled.warned = warn_of_binary_accuracy(self._objective, found)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch.

        Returns
        -------
        float, list of float, or dict
            The loss of this batch, followed by its metrics; the loss alone without metrics.
        """
        return self._on_batch(TRAIN, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch; returns as `train_on_batch`."""
        return self._on_batch(EVALUATE, x, y, sample_weight, None, return_dict)

    def _on_batch(self, mode: str, x: Any, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool) -> Any:
        self._require_compiled()
        return_dict = check_flag("return_dict", return_dict)
        with self._exclusively():
            samples = self._samples(x, y, sample_weight)
            source = self._arrays(samples, len(samples), class_weight)
            source.rows = plan_rows(len(samples))
            policy = config.on_nonfinite() if mode == TRAIN else "raise"
            if mode == TRAIN:
                self.optimizer.prepare(source, self.trainable_variables, policy)
            *_, (_, logs) = self._run(source, 0, None, mode, policy)
            self._print_timings(mode)
        return logs if return_dict else self._flat(logs)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data.

        Parameters
        ----------
        x, y, batch_size, verbose, sample_weight, callbacks
            As in `fit`.
        steps : int, optional
            Batches to evaluate; default: all there are.
        return_dict : bool, default False
            Return a dict instead of a list.

        Returns
        -------
        float, list of float, or dict
            The loss alone when there are no metrics, else loss and metrics.
        """
        steps, return_dict = check_steps("steps", steps), check_flag("return_dict", return_dict)
        batch_size = check_batch_size("batch_size", batch_size, x)
        self._require_compiled()
        with self._exclusively(), closing(ProgbarLogger(verbose)) as shown:
            source = self._source((x, y, sample_weight), batch_size, steps=steps)
            called = CallbackList(
                [shown, *as_list(callbacks)],
                self,
                steps=source.batches,
                samples=source.samples,
                batch_size=source.batch_size,
                verbose=verbose,
                mode="evaluate",
            )
            logs = self._evaluate(source, called)
        return logs if return_dict else self._flat(logs)

    def _evaluate(self, source: Source, called: CallbackList) -> dict[str, float]:
        source.reset()
        called.on_test_begin()
        logs: dict[str, float] = {}
        for done, logs in self._run(source, 0, called, EVALUATE):
            called.progress(done, logs)
        called.on_test_end(logs)
        self._print_timings(EVALUATE)
        return logs

    # predict

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Outputs for data.

        Parameters
        ----------
        x : array_like of shape (samples, ...), a list or dict of them, or a stream of batches
            See `fit`.
        batch_size : int, default 32
            Has no influence on the result, which is the same to the last bit for any batch size.
        verbose, callbacks
            As in `fit`; "auto" shows nothing.
        steps : int, optional
            Batches to predict; default: all there are.

        Returns
        -------
        ndarray of shape (samples, ...), or a list or dict of them
            As the outputs of the model are.
        """
        steps, batch_size = check_steps("steps", steps), check_batch_size("batch_size", batch_size, x)
        with closing(ProgbarLogger(0 if is_one_of(verbose, ("auto",)) else verbose)) as shown, self._undone_on_error():
            source = self._inputs_source(x, batch_size, steps)
            called = CallbackList(
                [shown, *as_list(callbacks)],
                self,
                steps=source.batches,
                samples=source.samples,
                batch_size=source.batch_size,
                verbose=verbose,
                mode="predict",
            )
            executor = self._executor(PREDICT, source.rows, None)
            shapes, inputs, outputs = tree.shape_leaves(self.output_shape), input_areas(self), output_areas(self)
            results: list[list[np.ndarray]] = []
            called.on_predict_begin()
            batch_hooks = called.overrides(("on_predict_batch_begin", "on_predict_batch_end"))
            for chunk in source.epoch(0, self._at_once(batch_hooks)):
                if batch_hooks:
                    called.on_predict_batch_begin(chunk.batch)
                if chunk.rows > executor.program.rows or self.run_eagerly:
                    executor = self._executor(PREDICT, plan_rows(chunk.rows), None)
                low, high = chunk.span
                x = {name: data.contiguous(chunk.arrays[name][low:high], config.floatx()) for name in inputs}
                made = [np.empty((high - low, *shape[1:]), config.floatx()) for shape in shapes]
                executor.run(x | dict(zip(outputs, made, strict=True)), chunk.starts, chunk.counts)
                results.append(made)
                if batch_hooks:
                    called.on_predict_batch_end(chunk.last, {"outputs": tree.shape_pack(self.output_shape, made)})
                called.progress(chunk.batch + len(chunk.counts), {})
            called.on_predict_end()
            self._print_timings(PREDICT)
            joined = [parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in zip(*results, strict=True)]
            return tree.shape_pack(self.output_shape, joined)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch."""
        prepared = None
        if type(x) is np.ndarray and x.ndim > 0:
            prepared = self._one_batch.get(plan_rows(len(x)))
        if prepared and prepared[0] == self._preparation():
            y = prepared[1](x)
            if y is not None:
                return y
        inputs = self._features(x)
        rows = plan_rows(len(inputs[0]))
        result = self.predict(self._packed(inputs), batch_size=rows, verbose=0)
        prepared, preparation = self._one_batch.get(rows), self._preparation()
        if prepared is None or prepared[0] != preparation:
            executor = self._executor(PREDICT, rows, None)
            if isinstance(executor, NativeExecutor) and OneBatch.fits(executor):
                self._one_batch[rows] = preparation, OneBatch(executor)
        return result

    def _preparation(self) -> tuple[Any, ...]:
        """What a prepared program depends on."""
        return self.layers.copy(), Structure.changes, config.floatx(), switches()

    # Looking at it

    def health(self, x: Any, y: Any = None, sample_weight: Any = None, *, threshold: float = 0.01) -> Health:
        """Which units are dead or saturated on data, how large activations are, and gradients if there are targets.

        Nothing of the model changes.

        Parameters
        ----------
        x : array_like of shape (samples, ...)
            At least two samples.
        y, sample_weight : array_like, optional
            As in `fit`; with targets a compiled model also gets the norms of its gradients.
        threshold : float, default 0.01
            A unit is saturated where its derivative is below this part of the activation's largest one.

        Returns
        -------
        Health
            Prints as a table; see `fastnn.models.health.Health` for what it holds and what its words mean.

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As in `fit`; or there is only one sample.

        Examples
        --------
        >>> import numpy as np
        >>> import fastnn
        >>> model = fastnn.Sequential([fastnn.layers.Dense(3, activation="relu", input_shape=(1,), name="hidden")])
        >>> model.set_weights([np.array([[1.0, 1.0, 1.0]]), np.array([0.0, -9.0, 9.0])])
        >>> health = model.health([-2.0, -1.0, 1.0, 2.0])
        >>> health.layers["hidden"].dead, health.layers["hidden"].active
        ([1], 0.5)
        """
        return examine(self, x, y, sample_weight, threshold)

    def describe(self, mode: str = TRAIN, batch_size: int = DEFAULT_BATCH_SIZE) -> str:
        """The plan of a training, evaluation or prediction step as text.

        Parameters
        ----------
        mode : {"train", "evaluate", "predict"}
        batch_size : int, default 32

        Returns
        -------
        str
            See `fastnn.program.Program.describe`.
        """
        if not is_one_of(mode, (TRAIN, EVALUATE, PREDICT)):
            raise unknown("mode", mode, (TRAIN, EVALUATE, PREDICT))
        if not self.built:
            raise self.unbuilt("describe()")
        objective = None
        if mode != PREDICT:
            self._require_compiled()
            objective = self._objective or self._resolve([np.empty((0, *s[1:])) for s in self._target_shapes()])
        executor = compile_program(self, mode, whole("batch_size", batch_size, 1), None, objective)
        return executor.program.describe()

    def _target_shapes(self) -> list[Any]:
        """The shapes that targets have where nothing but the losses says so."""
        shapes, names = tree.shape_leaves(self.output_shape), self.output_names
        assert self._compiled is not None
        losses_of = by_output("loss", self._compiled.loss, names, spread=True)
        return [
            shape if loss is None else losses.target_shape(shape, loss.target)
            for loss, shape in zip(losses_of, shapes, strict=True)
        ]
