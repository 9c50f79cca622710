//! Outputs on their way out, oldest first.

use std::collections::VecDeque;

use super::output::Output;
use crate::discipline::{ClockCommand, Drift};
use crate::event::Event;

/// A queue of outputs.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<Output>);

impl Outbox {
    /// Adds an output.
    pub fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    /// Adds an event.
    pub fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    /// Adds an order to the clock.
    pub fn clock(&mut self, command: ClockCommand) {
        self.push(Output::Clock(command));
    }

    /// Adds a drift to remember.
    pub fn save_drift(&mut self, drift: Drift) {
        self.push(Output::SaveDrift(drift));
    }

    /// Asks for the end.
    pub fn exit(&mut self) {
        self.push(Output::Exit);
    }

    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<Output> {
        self.0.pop_front()
    }
}
