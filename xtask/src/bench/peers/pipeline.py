"""What people build today: pynetdicom receives, pydicom decodes, ONNX Runtime reads, SQLite remembers.

It makes the appliance's promise: a success status means that the file and its directory entry are synced and that the
journal's row is committed with synchronous = FULL. It is written to be fast: no dataset is parsed while it is received,
receivers and readers are processes of their own (one Python process runs on one core), and inference uses every core.
It does less than the appliance: no encryption, no preview, no privacy filter, no outbox, no isolation of the decoder.

    pipeline.py --port N --folder DIR --model FILE [--receivers N] [--readers N] [--threads N]

prints "ready" once it listens, and "result" for each result that is committed.
"""

import argparse
import ctypes
import multiprocessing
import os
import signal
import sqlite3
import threading
import uuid

SCHEMA = """
CREATE TABLE IF NOT EXISTS image (id INTEGER PRIMARY KEY, file TEXT NOT NULL UNIQUE, sop_instance TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS result (
    image INTEGER PRIMARY KEY REFERENCES image (id), probability REAL NOT NULL, saliency BLOB NOT NULL, model TEXT NOT NULL);
"""

# Failed to store: Out of Resources (PS3.4 table B.2-1).
OUT_OF_RESOURCES = 0xA700


def database(folder):
    """A connection that loses nothing which it committed."""
    connection = sqlite3.connect(os.path.join(folder, "journal.sqlite"), timeout=30, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def say(word):
    """One line at once, whole, whoever else writes there."""
    os.write(1, f"{word}\n".encode())


def end_with_parent():
    """Nothing is left running, however the first process ends: prctl(2), PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Store:
    """Makes one object after the other durable. One for each receiving process."""

    def __init__(self, folder, work):
        self.folder, self.work = folder, work
        self.images = os.path.join(folder, "images")
        self.entries = os.open(self.images, os.O_RDONLY | os.O_DIRECTORY)
        self.journal, self.lock = database(folder), threading.Lock()

    def handle(self, event):
        """pynetdicom's EVT_C_STORE."""
        try:
            number, path = self.keep(event)
        except (OSError, sqlite3.Error):
            return OUT_OF_RESOURCES
        self.work.put((number, path))
        return 0x0000

    def keep(self, event):
        path = os.path.join(self.images, f"{uuid.uuid4()}.dcm")
        partial = f"{path}.partial"
        with open(partial, "xb", buffering=0) as file:
            data = memoryview(event.encoded_dataset())
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        os.rename(partial, path)
        os.fsync(self.entries)
        with self.lock, self.journal:
            row = (path, str(event.request.AffectedSOPInstanceUID))
            number = self.journal.execute("INSERT INTO image (file, sop_instance) VALUES (?, ?)", row).lastrowid
        return number, path


class Receiver:
    """A receiving process: each association is a thread of it."""

    def __init__(self, arguments, work):
        self.arguments, self.work, self.store = arguments, work, None

    def handle(self, event):
        return self.store.handle(event)

    def serve_beside(self, server):
        end_with_parent()
        self.serve(server)

    def serve(self, server):
        # Made in the process that uses it: a SQLite connection does not survive a fork.
        self.store = Store(self.arguments.folder, self.work)
        server.serve_forever()


def read(arguments, work, ready):
    """A reading process: decode, infer, commit."""
    import numpy
    import onnxruntime
    import radiograph

    end_with_parent()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    model = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])
    journal = database(arguments.folder)
    model.run(["logit"], {"image": numpy.zeros((1, 1, radiograph.SIDE, radiograph.SIDE), numpy.float32)})
    ready.release()
    while (item := work.get()) is not None:
        number, path = item
        logit, saliency = model.run(["logit", "saliency"], {"image": radiograph.tensor(path)})
        probability = float(1 / (1 + numpy.exp(-logit[0, 0])))
        with journal:
            row = (number, probability, saliency.tobytes(), os.path.basename(arguments.model))
            journal.execute("INSERT INTO result VALUES (?, ?, ?, ?)", row)
        say("result")


def listen(arguments, handle):
    """The DICOM server, bound but not yet served."""
    from pynetdicom import AE, StoragePresentationContexts, evt
    from pynetdicom.sop_class import Verification

    ae = AE(ae_title="PIPELINE")
    ae.supported_contexts = StoragePresentationContexts
    ae.add_supported_context(Verification)
    # No limit: fewer and larger pieces are faster.
    ae.maximum_pdu_size = 0
    return ae.make_server(("127.0.0.1", arguments.port), evt_handlers=[(evt.EVT_C_STORE, handle)])


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--folder", required=True)
    words.add_argument("--model", required=True)
    words.add_argument("--receivers", type=int, default=1)
    words.add_argument("--readers", type=int, default=os.cpu_count())
    words.add_argument("--threads", type=int, default=1)
    arguments = words.parse_args()
    os.makedirs(os.path.join(arguments.folder, "images"), exist_ok=True)
    journal = database(arguments.folder)
    journal.executescript(SCHEMA)
    journal.close()

    # fork: every receiving process accepts on the one listening socket.
    processes = multiprocessing.get_context("fork")
    work, ready = processes.Queue(), processes.Semaphore(0)
    readers = [processes.Process(target=read, args=(arguments, work, ready)) for _ in range(arguments.readers)]
    for reader in readers:
        reader.start()
    for _ in readers:
        ready.acquire()
    receiver = Receiver(arguments, work)
    server = listen(arguments, receiver.handle)
    for _ in range(arguments.receivers - 1):
        processes.Process(target=receiver.serve_beside, args=(server,), daemon=True).start()
    say("ready")
    receiver.serve(server)


if __name__ == "__main__":
    main()
