//! A Linux virtual machine whose clock may be set.
