//! The buffers of one batch size: input and outputs allocated once, bound, and used for every batch of that size.

use ort::memory::Allocator;
use ort::session::{IoBinding, Session, SessionOutputs};
use ort::value::{Shape, Tensor};

use crate::pixels::{INPUT_SIDE, tensor};

/// Up to this many images each number has buffers of its own; above, each multiple of it, so that the 64 images that the
/// configuration allows need 15 sets of at most 13 MB and not 64.
const EXACT: usize = 8;

/// Images in the bound buffers that serve `images`. What is over is computed and thrown away.
pub(super) fn size(images: usize) -> usize {
    if images <= EXACT { images } else { images.next_multiple_of(EXACT) }
}

/// Bound buffers.
pub(super) struct Bound {
    name: String,
    input: Tensor<f32>,
    binding: IoBinding,
}

impl Bound {
    /// For batches of `size` images; `names` are the input's and the outputs'.
    pub(super) fn new(session: &mut Session, names: &[String; 4], size: usize) -> ort::Result<Self> {
        let allocator = Allocator::default();
        let dimensions = [size, 1, INPUT_SIDE, INPUT_SIDE];
        let mut input = Tensor::<f32>::new(&allocator, Shape::new(dimensions.map(|side| side as i64)))?;
        // The allocator gives what memory holds.
        input.extract_tensor_mut().1.fill(0.0);
        let [name, outputs @ ..] = names;
        let shapes: Vec<Shape> = {
            // The model has names for some of its sides; only a run tells how long they are.
            let answers = session.run(ort::inputs![name.as_str() => input.view()])?;
            outputs.iter().filter_map(|output| answers.get(output)).map(|answer| answer.shape().clone()).collect()
        };
        let mut binding = session.create_binding()?;
        for (output, shape) in outputs.iter().zip(shapes) {
            binding.bind_output(output.as_str(), Tensor::<f32>::new(&allocator, shape)?)?;
        }
        Ok(Self { name: name.clone(), input, binding })
    }

    /// Runs `images`, as many as [`size`] made of them or fewer; the outputs lie in the bound buffers.
    pub(super) fn run<'a>(
        &'a mut self,
        session: &'a mut Session,
        images: &[impl AsRef<[u8]>],
    ) -> ort::Result<SessionOutputs<'a>> {
        let (_, numbers) = self.input.extract_tensor_mut();
        let mut places = numbers.chunks_exact_mut(INPUT_SIDE * INPUT_SIDE);
        for (place, image) in places.by_ref().zip(images) {
            tensor::to_unit_f32(image.as_ref(), place);
        }
        // A provider with memory of its own copies the input when it is bound, so it is bound for each batch.
        self.binding.bind_input(self.name.as_str(), &self.input)?;
        session.run_binding(&self.binding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_fit_exactly_and_large_ones_share() {
        let sizes = [1, 2, 7, 8, 9, 16, 17, 63, 64].map(size);
        assert_eq!(sizes, [1, 2, 7, 8, 16, 16, 24, 64, 64]);
        let sets: std::collections::BTreeSet<usize> = (1..=64).map(size).collect();
        assert_eq!(sets.len(), 15);
    }
}
