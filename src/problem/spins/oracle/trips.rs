//! How replicas wander between the ends of a ladder of temperatures, told from the counts of exchanges.

/// Where a replica last was.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Nowhere,
    Hot,
    /// At the cold end since it was at the hot one.
    Cold,
}

/// Replicas of all ladders; rung 0 is the hot end.
pub struct Trips {
    ladders: usize,
    rungs: usize,
    /// The replica at `[rung][ladder]`.
    replicas: Vec<usize>,
    last: Vec<Last>,
    counts: Vec<u32>,
    /// Exchanges of each rung with the next one, and how often they were asked for.
    exchanged: Vec<[u64; 2]>,
    /// Returns to the hot end by way of the cold one, of each ladder.
    pub trips: Vec<u32>,
}

impl Trips {
    /// Replicas where they begin.
    pub fn new(rungs: usize, ladders: usize) -> Trips {
        let mut trips = Trips {
            ladders,
            rungs,
            replicas: (0..rungs * ladders).collect(),
            last: vec![Last::Nowhere; rungs * ladders],
            counts: vec![0; rungs * ladders],
            exchanged: vec![[0; 2]; rungs - 1],
            trips: vec![0; ladders],
        };
        trips.arrive();
        trips
    }

    /// Follows the exchanges of one sweep: `counts` so far, u32 `[rung][ladder]`; `parity` of the first rung that was asked.
    pub fn follow(&mut self, parity: usize, counts: &[u32]) {
        for r in (parity..self.rungs - 1).step_by(2) {
            for a in r * self.ladders..(r + 1) * self.ladders {
                self.exchanged[r][1] += 1;
                if counts[a] != self.counts[a] {
                    self.replicas.swap(a, a + self.ladders);
                    self.exchanged[r][0] += 1;
                }
            }
        }
        self.counts.copy_from_slice(&counts[..self.rungs * self.ladders]);
        self.arrive();
    }

    fn arrive(&mut self) {
        for l in 0..self.ladders {
            let (hot, cold) = (self.replicas[l], self.replicas[(self.rungs - 1) * self.ladders + l]);
            if self.last[hot] == Last::Cold {
                self.trips[l] += 1;
            }
            self.last[hot] = Last::Hot;
            if self.last[cold] == Last::Hot && self.rungs > 1 {
                self.last[cold] = Last::Cold;
            }
        }
    }

    /// Share of the exchanges asked for that were made, of each rung with the next one.
    pub fn acceptance(&self) -> Vec<f64> {
        self.exchanged.iter().map(|[made, asked]| *made as f64 / *asked as f64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One replica of two ladders of three rungs goes to the cold end and returns.
    #[test]
    fn a_replica_that_returns_is_counted() {
        let mut t = Trips::new(3, 2);
        // rung 0 with 1 in ladder 1; 1 with 2; back again; counts are those of all exchanges so far
        let mut counts = [0u32; 6];
        for (parity, pair) in [(0, 1), (1, 3), (1, 3), (0, 1)] {
            assert_eq!(t.trips, [0, 0]);
            counts[pair] += 1;
            t.follow(parity, &counts);
        }
        assert_eq!((t.trips.clone(), t.acceptance()), (vec![0, 1], vec![0.5, 0.5]));
        // staying at either end is no trip
        t.follow(0, &counts);
        t.follow(1, &counts);
        assert_eq!((t.trips.clone(), t.acceptance()), (vec![0, 1], vec![2.0 / 6.0, 2.0 / 6.0]));
    }
}
