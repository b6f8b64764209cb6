//! What the machine's own sensors say: the kernel's thermal zones, a Jetson board's power rails and clocks, NVIDIA's cards
//! through their management library; and how badly heat or power hold the machine back. It sets no fan, no clock and no
//! limit, knows nothing of images, and never makes its caller wait for a sensor.

mod gpu;
mod jetson;
mod nvidia;
mod probe;
mod strain;
mod watch;
mod zone;

pub use gpu::{Gpu, Reason};
pub use jetson::{Integrated, Rail};
pub use nvidia::{LIBRARY, Nvidia, NvidiaError};
pub use probe::Probe;
pub use strain::{Cause, Settling, Strain, causes, strain};
pub use watch::{Kernel, PERIOD, Readings, Watch};
pub use zone::Zone;
