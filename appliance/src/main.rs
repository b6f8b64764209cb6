//! Receives radiographs over DICOM, reads them, and journals every result.

fn main() {}
