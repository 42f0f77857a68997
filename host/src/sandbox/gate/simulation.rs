//! The policy on a clock of its own: tenants that always want to run, and requests that come and go.

use proptest::prelude::*;

use super::policy::*;
use super::*;

/// A gate whose turns take the time that they are told to.
struct World {
    policy: Policy,
    tenants: Vec<Arc<Tenant>>,
    now: Nanos,
    /// Turns under way: when each ends, how long it took, whose it is.
    turns: Vec<(Nanos, Nanos, usize)>,
    /// Those who wait: whose, and since when.
    waiting: HashMap<Ticket, (usize, Nanos)>,
    /// Longest wait by tenant.
    longest: Vec<Nanos>,
}

impl World {
    fn new(workers: usize, weights: &[u32]) -> Self {
        let mut policy = Policy::new(workers);
        let tenants: Vec<_> = weights.iter().map(|weight| enrol(&mut policy, *weight)).collect();
        let longest = vec![0; tenants.len()];
        Self { policy, tenants, now: 0, turns: Vec::new(), waiting: HashMap::new(), longest }
    }

    fn wait(&mut self, tenant: usize) {
        let ticket = self.policy.wait(tenant, self.now);
        self.waiting.insert(ticket, (tenant, self.now));
    }

    /// Starts whoever may. Nobody runs but in turns, so there is none to let pass for long.
    fn start(&mut self, mut slice: impl FnMut(usize) -> Nanos) {
        while let Some(ticket) = self.policy.call(self.now) {
            let started = loop {
                match self.policy.start(ticket, self.now) {
                    Start::Again => {}
                    started => break started,
                }
            };
            if started == Start::Go {
                let (tenant, since) = self.waiting.remove(&ticket).expect("it waited");
                self.longest[tenant] = self.longest[tenant].max(self.now - since);
                let slice = slice(tenant);
                self.turns.push((self.now + slice, slice, tenant));
            }
        }
    }

    /// Goes on to the end of the next turn, whose request at once wants another; whose and how long it was.
    fn end_turn(&mut self) -> (usize, Nanos) {
        let next = (0..self.turns.len()).min_by_key(|turn| self.turns[*turn].0).expect("somebody runs");
        let (end, slice, tenant) = self.turns.swap_remove(next);
        self.now = end;
        self.tenants[tenant].charge(slice);
        self.policy.finish(tenant, Took::default(), self.now);
        self.wait(tenant);
        (tenant, slice)
    }
}

fn enrol(policy: &mut Policy, weight: u32) -> Arc<Tenant> {
    policy.enrol(TenantName::nobody(), Weight::new(weight).expect("in bounds"))
}

const SECOND: Nanos = 1_000 * SLICE;

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![Just(100_u32), 10..1_000_u32, 1..=10_000_u32], 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Turns of all lengths up to a slice, differently long by tenant.
    #[test]
    fn over_any_second_tenants_that_always_want_to_run_get_their_shares(
        workers in 1..5_usize,
        weights in weights(),
        slices in prop::collection::vec(SLICE / 4..=SLICE, 7),
        late in 0..SECOND / 2,
    ) {
        let mut world = World::new(workers, &weights);
        let all = weights.len();
        for tenant in 0..all - 1 {
            (0..=workers).for_each(|_| world.wait(tenant));
        }
        // The last tenant comes later than the others.
        let mut late = Some(late).filter(|_| all > 1);
        if late.is_none() {
            (0..=workers).for_each(|_| world.wait(0));
        }
        let mut turns: Vec<(Nanos, usize, Nanos)> = Vec::new();
        let mut complete_at = 0;
        while world.now < complete_at + 2 * SECOND {
            world.start(|tenant| slices[tenant]);
            let (tenant, slice) = world.end_turn();
            turns.push((world.now, tenant, slice));
            if late.is_some_and(|late| world.now >= late) {
                late = None;
                (0..=workers).for_each(|_| world.wait(all - 1));
                complete_at = world.now;
            }
        }
        let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        for begin in (0..5).map(|quarter| complete_at + quarter * SECOND / 4) {
            let mut got = vec![0_u64; all];
            turns.iter().filter(|turn| (begin..begin + SECOND).contains(&turn.0)).for_each(|turn| got[turn.1] += turn.2);
            let total: u64 = got.iter().sum();
            prop_assert!(total + workers as u64 * SLICE >= workers as u64 * SECOND, "no core idles: {total}");
            for (got, weight) in got.iter().zip(&weights) {
                let share = f64::from(*weight) / sum * total as f64;
                // A tenth; and a slice for each core at both ends of the second, which cannot be parted.
                let tolerance = share * 0.1 + (2 * (workers as u64 + 1) * SLICE) as f64;
                prop_assert!((*got as f64 - share).abs() <= tolerance, "{got} of {total}, where {share} is due: {weights:?}");
            }
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_others_turns_take(
        workers in 1..5_usize,
        tenants in prop::collection::vec((1..=10_000_u32, 1..6_usize), 1..7),
        slices in prop::collection::vec(SLICE / 4..=SLICE, 7),
    ) {
        let weights: Vec<u32> = tenants.iter().map(|tenant| tenant.0).collect();
        let mut world = World::new(workers, &weights);
        for (tenant, (_, requests)) in tenants.iter().enumerate() {
            (0..*requests).for_each(|_| world.wait(tenant));
        }
        while world.now < 2 * SECOND {
            world.start(|tenant| slices[tenant]);
            world.end_turn();
        }
        for (ticket, (tenant, since)) in &world.waiting {
            let waited = world.now - since;
            prop_assert!(waited <= bound(*tenant, &tenants, workers), "{ticket:?} still waits: {waited}");
        }
        for (tenant, longest) in world.longest.iter().enumerate() {
            let bound = bound(tenant, &tenants, workers);
            prop_assert!(*longest <= bound, "{longest} is over {bound}: {tenants:?}");
        }
    }

    #[test]
    fn permits_are_conserved_whatever_comes_and_goes(
        workers in 1..5_usize,
        steps in prop::collection::vec((0..8_u8, any::<prop::sample::Index>(), 0..200 * SLICE), 1..400),
    ) {
        let mut policy = Policy::new(workers);
        let tenants: Vec<_> = [100, 1, 10_000].map(|weight| enrol(&mut policy, weight)).into();
        let (mut now, mut queued, mut called, mut running) = (0, Vec::new(), Vec::new(), Vec::new());
        for (step, index, time) in steps {
            let tenant = index.index(tenants.len());
            match step {
                0 | 1 => queued.push((policy.wait(tenant, now), tenant)),
                2 => now += time,
                3 => policy.see(tenant, now),
                4 if !called.is_empty() => {
                    let (ticket, tenant) = called.swap_remove(index.index(called.len()));
                    match policy.start(ticket, now) {
                        Start::Go => running.push(tenant),
                        Start::Back => queued.push((ticket, tenant)),
                        Start::Again => called.push((ticket, tenant)),
                        Start::Lost => {}
                    }
                }
                5 if !running.is_empty() => {
                    let tenant = running.swap_remove(index.index(running.len()));
                    tenants[tenant].charge(time.min(SLICE));
                    policy.finish(tenant, Took::default(), now);
                }
                6 if !queued.is_empty() => {
                    let (ticket, tenant) = queued.swap_remove(index.index(queued.len()));
                    policy.leave(ticket, tenant);
                }
                7 if !called.is_empty() => {
                    let (ticket, tenant) = called.swap_remove(index.index(called.len()));
                    policy.leave(ticket, tenant);
                }
                _ => {}
            }
            while let Some(ticket) = policy.call(now) {
                let index = queued.iter().position(|queued| queued.0 == ticket).expect("it waited");
                called.push(queued.swap_remove(index));
            }
            // Some may have lapsed.
            called.retain(|(ticket, _): &(Ticket, usize)| policy.is_called(*ticket));
            let out = called.len() + running.len();
            prop_assert_eq!(policy.counts(), (out, queued.len()));
            prop_assert!(out <= workers);
            prop_assert!(queued.is_empty() || out >= (workers - 1).max(1), "somebody waits beside a free permit");
        }
        running.into_iter().for_each(|tenant| policy.finish(tenant, Took::default(), now));
        called.into_iter().chain(queued).for_each(|(ticket, tenant)| policy.leave(ticket, tenant));
        prop_assert_eq!(policy.counts(), (0, 0));
    }
}

/// How long one of `tenant`'s requests waits at most: until the turns that go first have been, which are
/// those of its own tenant, and of each other one what its weight gives it meanwhile.
fn bound(tenant: usize, tenants: &[(u32, usize)], workers: usize) -> Nanos {
    let (own, requests) = tenants[tenant];
    let turns = (requests + workers + 1) as u64;
    let others: u64 = tenants
        .iter()
        .map(|(weight, requests)| {
            let by_weight = turns * SLICE * u64::from(*weight) / u64::from(own);
            // A tenant with few requests cannot use more cores than it has requests.
            let most = (*requests).min(workers) as u64;
            by_weight + GATE_CREDIT + (most + 1) * SLICE
        })
        .sum();
    others + turns * SLICE
}

/// Two tenants, of which one was away.
fn after_a_pause(away: Nanos) -> (World, Nanos) {
    let mut world = World::new(1, &[100, 100]);
    world.wait(0);
    while world.now < away {
        world.start(|_| SLICE);
        world.end_turn();
    }
    world.wait(1);
    let begin = world.now;
    let mut in_a_row = 0;
    loop {
        world.start(|_| SLICE);
        if world.end_turn().0 == 0 {
            // The turn that was under way may end first.
            if world.now > begin + SLICE {
                return (world, in_a_row);
            }
        } else {
            in_a_row += SLICE;
        }
    }
}

#[test]
fn time_away_is_no_credit_beyond_a_moment() {
    let (_, short) = after_a_pause(100 * SLICE);
    let (_, long) = after_a_pause(20 * SECOND);
    assert_eq!(short, long);
    assert!((GATE_CREDIT..=GATE_CREDIT + 2 * SLICE).contains(&long), "{long}");
}

#[test]
fn a_lone_tenant_has_all_cores_and_makes_room_when_another_comes() {
    let mut policy = Policy::new(2);
    let (busy, other) = (enrol(&mut policy, 100), enrol(&mut policy, 100));
    for _ in 0..3 {
        policy.wait(busy.id, 0);
    }
    assert!(policy.call(0).is_some() && policy.call(0).is_some() && policy.call(0).is_none());
    policy.see(other.id, 0);
    policy.finish(busy.id, Took::default(), 0);
    assert_eq!(policy.call(0), None, "one core is kept for the other");
    policy.finish(busy.id, Took::default(), 0);
    assert!(policy.call(0).is_some());
    policy.wait(other.id, 0);
    assert!(policy.call(0).is_some(), "both are at the gate: nobody needs the core that is kept");
}

#[test]
fn who_runs_more_than_others_starts_demoted_while_they_are_there() {
    let mut policy = Policy::new(2);
    let (busy, other) = (enrol(&mut policy, 100), enrol(&mut policy, 100));
    let is_ahead = |tenant: &Tenant| tenant.ahead.load(std::sync::atomic::Ordering::Relaxed);
    let mut now = 0;
    let mut run = |policy: &mut Policy, there: &[&Arc<Tenant>]| {
        now += 5 * SLICE;
        busy.charge(9 * SLICE);
        there.iter().for_each(|tenant| policy.see(tenant.id, now));
    };
    for _ in 0..100 {
        run(&mut policy, &[&busy]);
    }
    assert!(!is_ahead(&busy), "nobody else is there");
    run(&mut policy, &[&busy, &other]);
    run(&mut policy, &[&busy, &other]);
    assert!(is_ahead(&busy) && !is_ahead(&other));
    for _ in 0..10 {
        run(&mut policy, &[&busy]);
    }
    assert!(!is_ahead(&busy), "the other is gone");
}

#[test]
fn nobody_is_ahead_on_a_host_with_time_to_spare() {
    let mut policy = Policy::new(2);
    let (busier, other) = (enrol(&mut policy, 100), enrol(&mut policy, 100));
    for step in 0..1000 {
        busier.charge(SLICE);
        policy.see(busier.id, step * 5 * SLICE);
        policy.see(other.id, step * 5 * SLICE);
        assert!(!busier.ahead.load(std::sync::atomic::Ordering::Relaxed));
    }
}

/// A gate where `busy` is far before `other`, which is there, and has a request that is called.
fn ahead(policy: &mut Policy) -> (Arc<Tenant>, Arc<Tenant>, Ticket) {
    let (busy, other) = (enrol(policy, 100), enrol(policy, 100));
    busy.charge(SECOND);
    other.charge(SLICE);
    policy.see(busy.id, 0);
    policy.see(other.id, 0);
    let ticket = policy.wait(busy.id, 0);
    assert_eq!(policy.call(0), Some(ticket));
    (busy, other, ticket)
}

#[test]
fn with_one_worker_short_requests_of_who_is_behind_pass_first() {
    let mut policy = Policy::new(1);
    let (busy, other, ticket) = ahead(&mut policy);
    assert_eq!(policy.start(ticket, 0), Start::Again, "it ran");
    other.charge(SLICE);
    assert_eq!(policy.start(ticket, 0), Start::Again, "it ran once more");
    assert_eq!(policy.start(ticket, 0), Start::Go, "it did not");
    policy.finish(busy.id, Took::default(), 0);
    other.charge(2 * SECOND);
    let ticket = policy.wait(busy.id, 0);
    assert_eq!(policy.call(0), Some(ticket));
    assert_eq!(policy.start(ticket, 0), Start::Go, "it is behind no more");
}

#[test]
fn among_many_who_are_behind_a_request_that_is_called_comes_to_its_turn() {
    for (workers, passes) in [(1, PASSES_MAX), (4, PASSES_OF_CORES_MAX)] {
        let mut policy = Policy::new(workers);
        let (busy, other, mut next) = ahead(&mut policy);
        for _ in 0..20 {
            while policy.start(next, 0) != Start::Go {}
            policy.finish(busy.id, Took { wall: 2 * SLICE, cpu: SLICE }, 0);
            next = policy.wait(busy.id, 0);
            assert_eq!(policy.call(0), Some(next));
        }
        for _ in 0..passes {
            other.charge(SLICE / 100);
            assert_eq!(policy.start(next, 0), Start::Again);
        }
        other.charge(SLICE / 100);
        assert_eq!(policy.start(next, 0), Start::Go, "with {workers} workers");
    }
}

#[test]
fn with_more_workers_they_pass_first_only_where_cores_are_short() {
    for (wall, start) in [(SLICE, Start::Go), (2 * SLICE, Start::Again)] {
        let mut policy = Policy::new(4);
        let (busy, other, ticket) = ahead(&mut policy);
        let mut next = ticket;
        for _ in 0..20 {
            while policy.start(next, 0) != Start::Go {}
            policy.finish(busy.id, Took { wall, cpu: SLICE }, 0);
            next = policy.wait(busy.id, 0);
            assert_eq!(policy.call(0), Some(next));
        }
        other.charge(SLICE / 10);
        assert_eq!(policy.start(next, 0), start, "turns of 1 ms take {wall} ns");
    }
}

#[test]
fn among_tenants_that_have_run_about_the_same_nobody_leaves_a_core_to_another() {
    let mut policy = Policy::new(4);
    let (busy, _, mut next) = ahead(&mut policy);
    for _ in 0..20 {
        while policy.start(next, 0) != Start::Go {}
        policy.finish(busy.id, Took { wall: 2 * SLICE, cpu: SLICE }, 0);
        next = policy.wait(busy.id, 0);
        assert_eq!(policy.call(0), Some(next));
    }
    policy.leave(next, busy.id);
    let (unlucky, other) = (enrol(&mut policy, 100), enrol(&mut policy, 100));
    policy.see(other.id, SECOND);
    policy.see(unlucky.id, SECOND);
    unlucky.charge(SLICE);
    other.charge(SLICE / 100);
    let ticket = policy.wait(unlucky.id, SECOND);
    assert_eq!(policy.call(SECOND), Some(ticket));
    assert_eq!(policy.start(ticket, SECOND), Start::Go);
}

#[test]
fn who_was_at_the_gate_once_is_not_ahead_of_those_who_were_not() {
    let mut policy = Policy::new(2);
    let (busy, demoted, other) = (enrol(&mut policy, 100), enrol(&mut policy, 100), enrol(&mut policy, 100));
    let mut now = 0;
    let mut step = |policy: &mut Policy| {
        now += 5 * SLICE;
        busy.charge(9 * SLICE);
        [&busy, &demoted, &other].iter().for_each(|tenant| policy.see(tenant.id, now));
        let ticket = policy.wait(demoted.id, now);
        assert_eq!(policy.call(now), Some(ticket));
        assert_eq!(policy.start(ticket, now), Start::Go);
        demoted.charge(SLICE / 100);
        policy.finish(demoted.id, Took::default(), now);
    };
    for _ in 0..100 {
        step(&mut policy);
        assert!(!demoted.ahead.load(std::sync::atomic::Ordering::Relaxed));
    }
    assert!(busy.ahead.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn who_goes_back_to_the_queue_does_not_let_others_pass_anew() {
    let mut policy = Policy::new(4);
    let (busy, other, mut next) = ahead(&mut policy);
    for _ in 0..20 {
        while policy.start(next, 0) != Start::Go {}
        policy.finish(busy.id, Took { wall: 2 * SLICE, cpu: SLICE }, 0);
        next = policy.wait(busy.id, 0);
        assert_eq!(policy.call(0), Some(next));
    }
    for _ in 0..PASSES_OF_CORES_MAX {
        other.charge(SLICE / 100);
        let behind = policy.wait(other.id, 0);
        assert_eq!(policy.start(next, 0), Start::Back);
        // With workers enough both are called, and the other has its turn.
        while policy.call(0).is_some() {}
        assert_eq!(policy.start(behind, 0), Start::Go);
        policy.finish(other.id, Took::default(), 0);
    }
    other.charge(SLICE / 100);
    assert_eq!(policy.start(next, 0), Start::Go);
}

#[test]
fn those_who_go_back_to_the_queue_can_leave_it() {
    let mut policy = Policy::new(3);
    let (busy, other, mut first) = ahead(&mut policy);
    for _ in 0..20 {
        while policy.start(first, 0) != Start::Go {}
        policy.finish(busy.id, Took { wall: 2 * SLICE, cpu: SLICE }, 0);
        first = policy.wait(busy.id, 0);
        assert_eq!(policy.call(0), Some(first));
    }
    let second = policy.wait(busy.id, 0);
    assert_eq!(policy.call(0), Some(second));
    other.charge(SLICE / 10);
    let behind = policy.wait(other.id, 0);
    assert_eq!(policy.start(first, 0), Start::Back);
    assert_eq!(policy.start(second, 0), Start::Back);
    for (ticket, tenant) in [(second, busy.id), (first, busy.id), (behind, other.id)] {
        policy.leave(ticket, tenant);
    }
    assert_eq!(policy.counts(), (0, 0));
}

#[test]
fn a_request_that_is_called_and_does_not_come_keeps_nobody_else_out() {
    let mut policy = Policy::new(1);
    let tenant = enrol(&mut policy, 100);
    let absent = policy.wait(tenant.id, 0);
    let next = policy.wait(tenant.id, 0);
    assert_eq!(policy.call(0), Some(absent));
    assert_eq!(policy.call(SECOND), None);
    policy.see(tenant.id, SECOND);
    assert_eq!(policy.call(SECOND), Some(next));
    assert_eq!(policy.start(absent, SECOND), Start::Lost);
    assert_eq!(policy.start(next, SECOND), Start::Go);
}
