//! What the page at `/` is made of: its files, and what they ask for. Nothing here changes anything.

pub(super) mod assets;

use super::routes::Route;

pub(super) static ROUTES: [Route; 0] = [];
