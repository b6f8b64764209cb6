//! The lab: one throw-away hospital and cloud on private ports.
