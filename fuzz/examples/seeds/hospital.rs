//! Store requests and acknowledgements.

use super::{Seeds, viewed};

pub(crate) fn hospital() -> Seeds {
    let part = "Content-Type: application/dicom\r\n\r\nDICM";
    let body = format!("b\0--b\r\n{part}\r\n--b\r\n{part}\r\n--almost\r\n--b--\r\n");
    let ack = "MSH|^~\\&|RIS|A|HILUM|B|20240301||ACK^R01|7|P|2.5\rMSA|AA|42|taken\r";
    vec![
        ("multipart", viewed(0, body)),
        ("multipart_endless_head", viewed(0, format!("b\0--b\r\nX: {}", "y".repeat(9000)))),
        ("media_type", viewed(1, "multipart/related; type=\"application/dicom\"; boundary=b; note=\"a\\\"b\"")),
        ("block", viewed(2, format!("\x0b{ack}\x1c\r"))),
        ("accepted", viewed(3, format!("42\0{ack}"))),
        ("rejected", viewed(3, format!("42\0{}", ack.replace("AA", "AR")))),
    ]
}
