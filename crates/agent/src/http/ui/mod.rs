//! What the page at `/` is made of: its files, and what they ask for. Nothing here changes anything.

pub(super) mod live;
mod state;

use super::routes::{Route, at_once};

pub(super) static ROUTES: [Route; 2] = [
    Route { path: "/ui/state", answer: |site, asked| at_once(state::state(&site, &asked)) },
    Route { path: "/ui/live", answer: |site, asked| at_once(live::live(&site, &asked)) },
];
