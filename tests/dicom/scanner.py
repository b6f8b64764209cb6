"""A scanner made of pynetdicom: stores files, asks for storage commitment, and tells as one line of JSON what it was answered.

usage: scanner.py PORT CALLING CALLED (same|other|none) LISTEN FILE...

`same` keeps its association open for the report, `other` releases it and listens on port LISTEN, `none` does not ask.
"""

import json
import sys
import threading

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance, Verification

# Longer than the appliance's pause before a report, and than a loaded machine takes for it.
PATIENCE_S = 30
# An object that nobody stored: its report must say so.
UNKNOWN = "2.25.1"


def referenced(dataset):
    item = Dataset()
    item.ReferencedSOPClassUID = dataset.SOPClassUID
    item.ReferencedSOPInstanceUID = dataset.SOPInstanceUID
    return item


def asked(datasets):
    question = Dataset()
    question.TransactionUID = generate_uid()
    question.ReferencedSOPSequence = [referenced(dataset) for dataset in datasets]
    unknown = Dataset()
    unknown.ReferencedSOPClassUID = datasets[0].SOPClassUID
    unknown.ReferencedSOPInstanceUID = UNKNOWN
    question.ReferencedSOPSequence.append(unknown)
    return question


def main(port, calling, called, way, listen, files):
    datasets = [dcmread(file) for file in files]
    told, done = {}, threading.Event()

    def report(event):
        information = event.event_information
        told["event"] = {
            "type": event.event_type,
            "transaction": information.TransactionUID,
            "from": event.assoc.requestor.ae_title,
            "committed": [item.ReferencedSOPInstanceUID for item in information.get("ReferencedSOPSequence", [])],
            "failed": {
                item.ReferencedSOPInstanceUID: item.FailureReason for item in information.get("FailedSOPSequence", [])
            },
        }
        done.set()
        return 0x0000, None

    handlers = [(evt.EVT_N_EVENT_REPORT, report)]
    ae = AE(ae_title=calling)
    ae.add_requested_context(Verification)
    ae.add_requested_context(StorageCommitmentPushModel)
    for dataset in datasets:
        ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    server = None
    if way == "other":
        place = AE(ae_title=calling)
        place.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        server = place.start_server(("127.0.0.1", listen), block=False, evt_handlers=handlers)
    association = ae.associate("127.0.0.1", port, ae_title=called, evt_handlers=handlers)
    if not association.is_established:
        print(json.dumps({"associated": False}))
        return 1
    told["associated"] = True
    told["echo"] = association.send_c_echo().Status
    told["stored"] = [association.send_c_store(dataset).Status for dataset in datasets]
    if way != "none":
        question = asked(datasets)
        told["transaction"] = question.TransactionUID
        status, _ = association.send_n_action(
            question, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        told["action"] = status.Status
        if way == "same":
            done.wait(PATIENCE_S)
    association.release()
    if way == "other":
        done.wait(PATIENCE_S)
        server.shutdown()
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    _, port, calling, called, way, listen, *files = sys.argv
    sys.exit(main(int(port), calling, called, way, int(listen), files))
