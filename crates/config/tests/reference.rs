//! The reference page in the guide is the one that the descriptions of the keys make.

use std::fs;
use std::path::Path;

#[test]
fn the_committed_reference_page_is_fresh() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/configuration-reference.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, timeball_config::reference::markdown()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == timeball_config::reference::markdown(),
        "{} is stale; renew it with\n\n    \
         UPDATE_DOCS=1 cargo test -p timeball-config --test reference\n",
        path.display()
    );
}
