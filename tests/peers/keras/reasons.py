"""Why test functions of Keras fail on fastnn: patterns of file, of function and of error."""

import re

NOT_YET = "not provided yet"
DTYPE = "half precision, or a float type of one object's own: fastnn computes in floatx"
WORDS = "an error in other words: errors of fastnn name argument, value received, values expected and what to do"
KIND = "TypeError where Keras raises ValueError: fastnn tells values of a wrong type from wrong values"
PRIVATE = "calls a method or reads an attribute that is private in Keras"

REASONS = [  # file, function, error (regular expressions, searched for), reason; the first that fits;
    # "" for the error itself
    ("optimizers/lamb", "", "", "left out: LAMB"),
    ("optimizers/muon", "", "", "left out: Muon"),
    ("optimizers/adafactor", "", "", "left out: Adafactor"),
    ("optimizers/optimizer", "", "adafactor|'lamb'|'muon'", "left out: Adafactor"),
    ("optimizers/schedule_free", "", "", "left out: schedule-free AdamW"),
    ("optimizers/multi_optimizer", "", "", "left out: MultiOptimizer"),
    ("optimizers/", "", "loss_scale", "left out: LossScaleOptimizer, which is for half precision"),
    ("optimizers/loss_scale", "", "", "left out: LossScaleOptimizer, which is for half precision"),
    ("optimizers/optimizer_sparse", "", "", "left out: sparse gradients"),
    ("losses", "CTC", "", "left out: CTC"),
    ("losses", "Circle", "", "left out: Circle, which compares all samples of a batch with each other"),
    ("losses", "(Huber|Cosine).*test_config", "", "configurations keep options that Keras leaves out"),
    ("losses", "test_(pickle|get_method)", "", "losses.get() gives an object where Keras gives a function"),
    ("", "", "STFT", "left out: initializer of convolutions"),
    ("", "", "MultiHeadAttention|SpatialDropout|Embedding|Conv|LSTM", "left out: layers for images and sequences"),
    ("callbacks/(tensorboard|orbax|remote)", "", "", "left out: callbacks that need other packages"),
    ("", "", "No module named '(tensorflow|jax|torch|requests|orbax)", "needs another backend or package"),
    ("", "", "DeviceMesh|distribution_lib|TensorLayout", "left out: several devices"),
    ("", "(?i)quantiz|lora|gptq|awq|int4|int8|float8", "", "left out: quantized and low-rank kernels"),
    ("", "", "_keras_mask|Masking|supports_masking|argument 'mask'", "masks"),
    ("", "", "SeedGenerator", "left out: SeedGenerator; random numbers are counted, a seed is a whole number"),
    ("", "", "^NotProvided", ""),  # no other reason than that the name is not there
    ("", "float16|mixed|dtype_arg|autocast", "", DTYPE),
    ("", "", "float16|dtype: received 'int32'; expected one of 'float32'", DTYPE),
    ("", "mask", "", "masks"),
    ("", "stateless", "", "calls without state (stateless_*), which are for JAX"),
    ("", "dynamic|symbolic_shape", "", "dynamic shapes: shapes are known when a model is recorded"),
    ("", "", "batch_size: received .* its default", "inputs of a fixed batch size"),
    ("", "sparse_tensor|ragged", "", "sparse and ragged tensors"),
    ("", "", r'^AssertionError: ".*" does not match "', WORDS),
    ("", "(?i)error|invalid|validation|raises|bad_|get_method", "^TypeError: [^:]*: received ", KIND),
    ("", "", "^AssertionError: - .*: received .*to fix it", WORDS),
    ("", "", "^AssertionError: (ValueError|TypeError) not raised", "takes arguments that Keras refuses"),
    ("", "", "noise_shape: received|'noise_shape'", "left out: noise_shape"),
    ("", "", "renorm: received|rms_scaling: received", "left out: variants of normalization"),
    ("", "", "DID NOT WARN", "Keras warns, fastnn does not"),
    ("", "", "has no attribute '_(?!_)", PRIVATE),
]


def reason(file: str, function: str, error: str, before: str | None) -> str:
    """The reason that was written by hand, that of the table, or the error."""
    table = {row[3] for row in REASONS}
    if before and before not in table and not before.startswith(NOT_YET):
        return before
    for files, functions, errors, text in REASONS:
        if re.search(files, file) and re.search(functions, function) and re.search(errors, error):
            if text:
                return text
            break
    text = re.sub(r"\s+", " ", re.sub(r"0x[0-9a-f]+|/\S+/", "...", error))
    return f"{NOT_YET}: {text[:100]}"
