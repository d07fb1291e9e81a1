"""Why test functions of Keras fail on fastnn: patterns of file, of function and of error."""

import re

NOT_YET = "not provided yet"

REASONS = [  # file, function, error (regular expressions, searched for), reason; the first that fits
    ("optimizers/lamb", "", "", "left out: LAMB"),
    ("optimizers/muon", "", "", "left out: Muon"),
    ("optimizers/adafactor", "", "", "left out: Adafactor"),
    ("optimizers/schedule_free", "", "", "left out: schedule-free AdamW"),
    ("optimizers/multi_optimizer", "", "", "left out: MultiOptimizer"),
    ("optimizers/loss_scale", "", "", "left out: LossScaleOptimizer, which is for half precision"),
    ("optimizers/optimizer_sparse", "", "", "left out: sparse gradients"),
    ("callbacks/(tensorboard|orbax|remote)", "", "", "left out: callbacks that need other packages"),
    ("", "", "No module named '(tensorflow|jax|torch|requests|orbax)", "needs another backend or package"),
    ("", "", "DeviceMesh|distribution|TensorLayout", "left out: several devices"),
    ("", "quantiz|lora|gptq|awq|int4|int8|float8", "", "left out: quantized and low-rank kernels"),
    ("", "float16|half|mixed|dtype_arg|autocast", "", "half precision, or a float type of one object's own"),
    ("", "", "float16", "half precision, or a float type of one object's own"),
    ("", "mask", "", "masks"),
    ("", "", "_keras_mask", "masks"),
    ("", "stateless", "", "calls without state (stateless_*), which are for JAX"),
    ("", "dynamic|symbolic_shape", "", "dynamic shapes: shapes are known when a model is recorded"),
    ("", "sparse_tensor|ragged", "", "sparse and ragged tensors"),
]


def reason(file: str, function: str, error: str, before: str | None) -> str:
    """The reason that was written, that of the table, or the error."""
    if before and not before.startswith(NOT_YET):
        return before
    for files, functions, errors, text in REASONS:
        if re.search(files, file) and re.search(functions, function) and re.search(errors, error):
            return text
    text = re.sub(r"\s+", " ", re.sub(r"0x[0-9a-f]+|/\S+/", "...", error))
    return f"{NOT_YET}: {text[:100]}"
