//! FNV-1a, 64 bits: whether bytes are still those that were written. No protection against intent.

/// A sum over bytes. Each byte changes it one-to-one, so that a change of a single byte never goes unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum(u64);

impl Checksum {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Checksum {
        Checksum(0xcbf2_9ce4_8422_2325).and(bytes)
    }

    /// Of the bytes so far and these.
    pub fn and(self, bytes: &[u8]) -> Checksum {
        Checksum(bytes.iter().fold(self.0, |h, b| (h ^ *b as u64).wrapping_mul(0x0000_0100_0000_01b3)))
    }

    pub fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    #[test]
    fn published_values() {
        for (text, sum) in [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)] {
            assert_eq!(Checksum::of(text.as_bytes()).value(), sum);
        }
        assert_eq!(Checksum::of(b"foo").and(b"bar"), Checksum::of(b"foobar"));
    }
}
