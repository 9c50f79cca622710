//! The reach register (RFC 5905 §9.2, "p.reach").

/// Requests that the register tells of.
const REGISTER: u8 = 8;

/// Which of the last eight requests were answered, the newest in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reachability {
    /// One request longer than the register: the newest has not had its time when it leaves.
    answers: u16,
    /// Requests so far, eight at most.
    asked: u8,
    /// Requests since the last answer.
    unanswered: u32,
}

impl Reachability {
    /// What is known from before; what came before the first answer is not.
    pub const fn from_register(register: u8) -> Self {
        let asked = REGISTER - register.leading_zeros() as u8;
        Self { answers: register as u16, asked, unanswered: register.trailing_zeros() }
    }

    /// A request leaves.
    pub fn asked(&mut self) {
        self.answers = (self.answers << 1) & ((1 << (REGISTER + 1)) - 1);
        self.asked = self.asked.saturating_add(1).min(REGISTER);
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// It was answered.
    pub fn answered(&mut self) {
        self.answers |= 1;
        self.unanswered = 0;
    }

    /// The register.
    pub const fn register(self) -> u8 {
        self.answers as u8
    }

    /// At least one of the last eight requests was answered, or the last of them still may be and the
    /// one before them was.
    pub const fn is_reachable(self) -> bool {
        self.answers != 0
    }

    /// There have been as many requests as the register tells of.
    pub const fn is_full(self) -> bool {
        self.asked >= REGISTER
    }

    /// Eight requests or more have gone unanswered since the last answer, or ever, and another has left.
    pub const fn is_lost(self) -> bool {
        self.answers == 0 && self.unanswered > REGISTER as u32
    }

    /// Requests since the register became empty. The last of them may still be answered.
    pub const fn unreachable_for(self) -> u32 {
        self.unanswered.saturating_sub(u8::BITS)
    }

    /// Requests since the last answer.
    pub const fn unanswered(self) -> u32 {
        self.unanswered
    }
}
