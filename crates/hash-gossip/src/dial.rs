/// Whether to take the connection of a neighbour that dialled us, given whether we are dialling it.
///
/// A neighbour that dials holds no connection to us, so its new one replaces whatever we believe to stand. If both
/// dial at the same time, both connections would stand and each side might close the other's, for ever. So the
/// dial of the lower address wins: it refuses the other, and the higher one accepts and gives up its own.
pub(crate) fn accepts<A: Ord>(own: &A, theirs: &A, dialling: bool) -> bool {
    !dialling || theirs < own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_accepted_while_we_do_not_dial_it() {
        assert!(accepts(&1, &2, false));
        assert!(accepts(&2, &1, false));
    }

    #[test]
    fn exactly_one_of_two_simultaneous_dials_survives() {
        for (one, other) in [(1, 2), (2, 1), (0, u32::MAX)] {
            assert_ne!(accepts(&one, &other, true), accepts(&other, &one, true));
        }
    }

    #[test]
    fn nobody_accepts_its_own_dial() {
        assert!(!accepts(&1, &1, true));
    }
}
