//! How a source takes part in selection, as a report shows it.

use super::layout::flags;
use super::new_source::SourceFlags;

flags! {
    /// The selection options of a source in a [`SelectData`](super::SelectData) report. Requests say
    /// the same with [`SourceFlags`].
    pub struct SelectOptions: u16 {
        /// Never selected.
        const NOSELECT = 0x1;
        /// Selected before others.
        const PREFER = 0x2;
        /// Believed more than others.
        const TRUST = 0x4;
        /// Without one of these nothing is selected.
        const REQUIRE = 0x8;
    }
}

flags! {
    /// Which selection options a [`Request::ModifySelectOptions`](super::Request) changes. chronyc
    /// numbers them here as reports do, and not as it numbers the options that they become.
    pub struct SelectMask: u32 {
        /// Never selected.
        const NOSELECT = 0x1;
        /// Selected before others.
        const PREFER = 0x2;
        /// Believed more than others.
        const TRUST = 0x4;
        /// Without one of these nothing is selected.
        const REQUIRE = 0x8;
    }
}

impl From<SourceFlags> for SelectMask {
    fn from(flags: SourceFlags) -> Self {
        Self(SelectOptions::from(flags).0.into())
    }
}

impl From<SourceFlags> for SelectOptions {
    fn from(flags: SourceFlags) -> Self {
        Self::NONE
            .with(Self::NOSELECT, flags.contains(SourceFlags::NOSELECT))
            .with(Self::PREFER, flags.contains(SourceFlags::PREFER))
            .with(Self::TRUST, flags.contains(SourceFlags::TRUST))
            .with(Self::REQUIRE, flags.contains(SourceFlags::REQUIRE))
    }
}
