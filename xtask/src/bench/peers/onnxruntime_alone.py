"""The ceiling of whoever reads with ONNX Runtime: the model on tensors that lie ready in memory, and nothing else.

    onnxruntime_alone.py --model FILE --tensors FILE.npy --make IMAGE...          makes the tensors, and prints how many
    onnxruntime_alone.py --model FILE --tensors FILE.npy --threads N --find       tries batch sizes, prints the best
    onnxruntime_alone.py --model FILE --tensors FILE.npy --threads N --batch B --sessions S --seconds T

Each prints one line of JSON.
"""

import argparse
import json
import threading
import time

import numpy
import onnxruntime

BATCHES = (1, 2, 4, 8, 16, 32)

# Of each layout, when the best is looked for.
TRIAL_SECONDS = 0.6


def session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def batches(tensors, size):
    """All tensors in batches of one size, the first ones again where it does not come out even."""
    enough = numpy.resize(tensors, (-(-len(tensors) // size) * size, *tensors.shape[1:]))
    return [numpy.ascontiguousarray(enough[start : start + size]) for start in range(0, len(enough), size)]


def measure(sessions, inputs, seconds):
    """Images in a second, all sessions at once, each in a thread of its own."""
    outputs = ["logit", "saliency", "embedding"]
    for one in sessions:
        one.run(outputs, {"image": inputs[0]})
    counts = [0] * len(sessions)
    start = time.perf_counter()

    def work(number):
        turn = number
        while time.perf_counter() - start < seconds:
            batch = inputs[turn % len(inputs)]
            sessions[number].run(outputs, {"image": batch})
            counts[number] += len(batch)
            turn += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(sessions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--model", required=True)
    words.add_argument("--tensors", required=True)
    words.add_argument("--make", nargs="+")
    words.add_argument("--find", action="store_true")
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--sessions", type=int, default=1)
    words.add_argument("--batch", type=int, default=8)
    words.add_argument("--seconds", type=float, default=2.0)
    arguments = words.parse_args()
    if arguments.make:
        import radiograph

        tensors = numpy.concatenate([radiograph.tensor(path) for path in arguments.make])
        numpy.save(arguments.tensors, tensors)
        print(json.dumps({"tensors": len(tensors)}))
        return
    tensors = numpy.load(arguments.tensors)
    if not arguments.find:
        # The threads are shared out: two sessions of one thread, or one of two.
        each = max(1, arguments.threads // arguments.sessions)
        sessions = [session(arguments.model, each) for _ in range(arguments.sessions)]
        rate = measure(sessions, batches(tensors, arguments.batch), arguments.seconds)
        print(json.dumps({"images_per_second": rate}))
        return
    tried = []
    for count in sorted({1, arguments.threads}):
        sessions = [session(arguments.model, max(1, arguments.threads // count)) for _ in range(count)]
        for batch in BATCHES:
            rate = measure(sessions, batches(tensors, batch), TRIAL_SECONDS)
            tried.append({"images_per_second": rate, "batch": batch, "sessions": count})
    print(json.dumps(max(tried, key=lambda one: one["images_per_second"])))


if __name__ == "__main__":
    main()
