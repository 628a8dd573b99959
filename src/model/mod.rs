//! Generative models as shapes: which parameters there are and where they lie.

<<<<<<< HEAD
pub mod backflow;
=======
pub mod file;
>>>>>>> fda4feb (Command line, settings with origins, run directory, report, parameter files, reference cases)
pub mod parameters;
