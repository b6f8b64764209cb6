//! What the gateway talks about, without a database, a broker or a browser: pure types and rules. It never does I/O.

pub mod audit;
pub mod device_trouble;
pub mod image;
pub mod reading;
pub mod result;
pub mod review;
pub mod shadow;
pub mod turnaround;
pub mod when;
pub mod work_list;
