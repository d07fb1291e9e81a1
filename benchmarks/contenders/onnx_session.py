"""onnxruntime, for inference only."""

import os


class OnnxRuntime:
    """A session on the network as an ONNX graph of Gemm, Relu and Softmax."""

    def inference(self, load):
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        network = load.network
        weights, last = network.weights(), len(network.sizes) - 1
        nodes, name = [], "x"
        for i in range(1, last + 1):
            nodes.append(helper.make_node("Gemm", [name, f"kernel{i}", f"bias{i}"], [f"z{i}"]))
            name = f"a{i}"
            nodes.append(helper.make_node("Softmax" if i == last else "Relu", [f"z{i}"], [name]))
        graph = helper.make_graph(
            nodes,
            "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", network.sizes[0]])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", network.sizes[-1]])],
            [
                numpy_helper.from_array(values, f"{'bias' if i % 2 else 'kernel'}{i // 2 + 1}")
                for i, values in enumerate(weights)
            ],
        )
        # the format's version that came with this operator set, so that older runtimes read it too
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        inputs = {"x": network.data()[0]}
        return lambda: session.run(None, inputs)[0]
