//! System clock readings ⇄ the free-running oscillator.
