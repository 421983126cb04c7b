//! Which processes descend from which.
//!
//! Windows keeps of a parent its pid alone, and gives pids again: a process is a child only of one that was there before it. A
//! child whose parent has ended and is not known any more belongs to nobody; and one that was made after the clock was
//! set back behind its parent's start is not recognised.

/// A process in the list of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub pid: u32,
    pub parent: u32,
    /// In 100 ns since 1601.
    pub created: u64,
}

/// Those of `all` that descend from one of `above`, and are none of them. Each once, also where pids form a circle.
pub(crate) fn descendants(above: &[Node], all: &[Node]) -> Vec<Node> {
    let mut family = above.to_vec();
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        for node in all {
            let is_child = node.parent == parent.pid && node.created >= parent.created;
            if is_child && !family.iter().any(|known| (known.pid, known.created) == (node.pid, node.created)) {
                family.push(*node);
            }
        }
        at += 1;
    }
    family.split_off(above.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn node(pid: u32, parent: u32, created: u64) -> Node {
        Node { pid, parent, created }
    }

    fn pids(above: &[Node], all: &[Node]) -> Vec<u32> {
        descendants(above, all).iter().map(|node| node.pid).collect()
    }

    #[test]
    fn a_tree_is_all_that_descends_whatever_the_order() {
        let root = node(10, 4, 100);
        let all = [node(40, 30, 300), node(30, 20, 200), node(20, 10, 100), root, node(50, 4, 150), node(60, 10, 400)];
        assert_eq!(pids(&[root], &all), [20, 60, 30, 40]);
        assert_eq!(pids(&[root, all[2]], &all), [60, 30, 40], "what is known is not told again");
        assert_eq!(pids(&[node(50, 4, 150)], &all), [0; 0]);
        assert_eq!((pids(&[], &all), pids(&[root], &[])), (vec![], vec![]));
    }

    // A parent ended, its pid was given to another process, and that one's end was the end of a stranger.
    #[test]
    fn a_pid_that_was_given_again_makes_no_children() {
        let root = node(10, 4, 500);
        let all = [root, node(20, 10, 499), node(30, 20, 600), node(40, 10, 501)];
        assert_eq!(pids(&[root], &all), [40]);
    }

    #[test]
    fn circles_end() {
        let all = [node(10, 20, 7), node(20, 10, 7), node(30, 30, 7), node(40, 20, 7)];
        assert_eq!(pids(&[all[0]], &all), [20, 40]);
        assert_eq!(pids(&[all[2]], &all), [0; 0]);
        // The same pid twice: a list that was made while it changed.
        assert_eq!(pids(&[node(1, 0, 1)], &[node(2, 1, 2), node(2, 1, 2), node(2, 1, 3)]), [2, 2]);
    }

    #[test]
    fn a_long_chain_is_walked_to_its_end() {
        let all: Vec<Node> = (1..2000).map(|pid| node(pid, pid - 1, 7)).collect();
        assert_eq!(descendants(&[all[0]], &all).len(), all.len() - 1);
    }
}
