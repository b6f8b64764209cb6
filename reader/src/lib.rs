//! One DICOM object or image in, one reading out: pixels, model, inference. It never touches a network or a database.
