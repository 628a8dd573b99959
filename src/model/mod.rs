//! Generative models as shapes: which parameters there are and where they lie.

pub mod backflow;
pub mod continuous;
pub mod file;
mod initial;
pub mod layer;
pub mod made;
pub mod occupation;
pub mod parameters;
pub mod pixel_cnn;
pub mod provenance;
pub mod renorm;
pub mod transformer;
pub mod window;
