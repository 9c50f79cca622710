//! The reference page in the guide is the one that the descriptions of the keys make.

use std::fs;
use std::path::Path;

#[test]
fn the_committed_reference_page_is_fresh() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/configuration-reference.md");
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == timeball_config::reference::markdown(),
        "{} is stale; renew it with\n\n    \
         cargo run -p timeball -- config reference > docs/guide/configuration-reference.md\n",
        path.display()
    );
}
