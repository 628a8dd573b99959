//! The systems that settings are for. What they measure and compute is not known here.

/// A system as settings name it.
pub struct System {
    /// As the command line and files call it.
    pub name: &'static str,
    /// Values for the required settings, as an example.
    pub example: &'static [(&'static str, &'static str)],
}

/// The uniform electron gas, whose settings are the table of this room.
pub const ELECTRON_GAS: System = System { name: "electron-gas", example: &[("n", "13"), ("rs", "10"), ("theta", "0.15")] };

/// All of them.
pub static SYSTEMS: &[System] = &[ELECTRON_GAS];

impl System {
    /// Their names.
    pub fn names() -> Vec<&'static str> {
        SYSTEMS.iter().map(|s| s.name).collect()
    }

    /// The example as it is given on the command line.
    pub fn line(&self) -> String {
        self.example.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}
