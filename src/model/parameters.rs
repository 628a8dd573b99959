//! The parameter table of a model: the sole owner of names, shapes and offsets.
//!
//! Names and order are those of the published checkpoints (modules in alphabetic order, `b` before
//! `w`, matrices row-major with shape (in, out)), so that flat vectors can be exchanged with them.

/// One array of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// As published.
    pub name: String,
    /// Rows first.
    pub shape: Vec<usize>,
    /// First word in the flat vector.
    pub offset: usize,
}

impl Leaf {
    /// Numbers of the tensor.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

/// All arrays of a model in the order of its flat parameter vector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// In order.
    pub leaves: Vec<Leaf>,
}

/// What leaves are sorted by: module, then leaf name.
fn key(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

impl Table {
    /// Sorts by (module, leaf name) as text and assigns offsets. A name is `module/leaf`.
    pub fn new(mut entries: Vec<(String, Vec<usize>)>) -> Self {
        entries.sort_by(|a, b| key(&a.0).cmp(&key(&b.0)));
        let mut offset = 0;
        let leaves = entries
            .into_iter()
            .map(|(name, shape)| {
                let leaf = Leaf { name, shape, offset };
                offset += leaf.size();
                leaf
            })
            .collect();
        Table { leaves }
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.leaves.last().map_or(0, |l| l.offset + l.size())
    }

    /// Without a parameter.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The leaf called `name`, if the model has one.
    pub fn get(&self, name: &str) -> Option<&Leaf> {
        self.leaves.binary_search_by(|leaf| key(&leaf.name).cmp(&key(name))).ok().map(|at| &self.leaves[at])
    }
}
