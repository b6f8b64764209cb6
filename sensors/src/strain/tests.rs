//! What is read, what it means, and how long it lasts.

use proptest::prelude::*;

use super::*;
use crate::watch::Kernel;

fn zone(now: i64, passive: Option<i64>, critical: Option<i64>) -> Readings {
    let zones = vec![Zone { name: "tj-thermal".into(), now, passive, critical }];
    Readings { kernel: Kernel { zones, ..Kernel::default() }, ..Readings::default() }
}

fn card(celsius: Option<f64>, slowdown: Option<f64>, shutdown: Option<f64>, reasons: &[Reason]) -> Readings {
    let reasons = reasons.iter().copied().collect();
    let gpu = Gpu {
        name: "L4".into(),
        celsius,
        slowdown_celsius: slowdown,
        shutdown_celsius: shutdown,
        reasons,
        ..Gpu::default()
    };
    Readings { gpus: vec![gpu], ..Readings::default() }
}

fn board(overcurrents: Option<u64>, alerts: &[&str]) -> Readings {
    let alerts = alerts.iter().map(|name| (*name).to_owned()).collect();
    Readings { kernel: Kernel { overcurrents, alerts, ..Kernel::default() }, ..Readings::default() }
}

#[test]
fn what_is_read_means() {
    use Strain::{Critical, Normal, Throttled};
    for (readings, expected, names) in [
        (Readings::default(), Normal, &[][..]),
        (zone(60_000, Some(80_000), Some(100_000)), Normal, &[]),
        (zone(80_000, Some(80_000), Some(100_000)), Throttled, &["heat"]),
        (zone(89_999, Some(80_000), Some(100_000)), Throttled, &["heat"]),
        (zone(90_000, Some(80_000), Some(100_000)), Critical, &["near_shutdown"]),
        (zone(90_000, None, Some(100_000)), Critical, &["near_shutdown"]),
        (zone(150_000, None, None), Normal, &[]),
        (card(None, None, None, &[]), Normal, &[]),
        (card(Some(86.0), Some(87.0), Some(92.0), &[]), Normal, &[]),
        (card(Some(87.0), Some(87.0), Some(92.0), &[]), Critical, &["near_shutdown"]),
        (card(Some(87.0), None, Some(92.0), &[]), Critical, &["near_shutdown"]),
        (card(Some(86.9), None, Some(92.0), &[]), Normal, &[]),
        (card(Some(120.0), None, None, &[]), Normal, &[]),
        (card(None, None, None, &[Reason::PowerCap]), Normal, &["power_cap"]),
        (card(None, None, None, &[Reason::Heat]), Throttled, &["heat"]),
        (card(None, None, None, &[Reason::PowerBrake]), Throttled, &["power_brake"]),
        (card(None, None, None, &[Reason::Slowdown]), Throttled, &["slowdown"]),
        (card(None, None, None, &[Reason::PowerCap, Reason::HardwareHeat]), Critical, &["hardware_heat", "power_cap"]),
        (board(Some(7), &[]), Normal, &[]),
        (board(Some(8), &[]), Throttled, &["overcurrent"]),
        // It does not tell at the moment.
        (board(None, &[]), Normal, &[]),
        // Counted anew since a restart of the board.
        (board(Some(0), &[]), Normal, &[]),
        (board(Some(7), &["gpu-throttle-alert"]), Throttled, &["heat"]),
    ] {
        let found = causes(&readings, Some(7));
        assert_eq!(strain(&found), expected, "{readings:?}");
        assert_eq!(found.iter().map(Cause::name).collect::<Vec<_>>(), names, "{readings:?}");
        assert!(found.iter().all(|cause| Cause::NAMES.contains(&cause.name())));
    }
    // What was counted before the first look is past.
    assert_eq!(causes(&board(Some(8), &[]), None), []);
}

#[test]
fn each_cause_is_a_sentence_of_its_own() {
    let gpu = || "L4".to_owned();
    let all = Reason::ALL.map(|reason| Cause::Card { gpu: gpu(), reason }.to_string());
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), Reason::ALL.len());
    assert_eq!(Cause::Hot { place: gpu(), celsius: 87.4 }.to_string(), "slowed down by heat: L4 is at 87 °C");
}

fn any_strain() -> impl Strategy<Value = Strain> {
    prop_oneof![Just(Strain::Normal), Just(Strain::Throttled), Just(Strain::Critical)]
}

fn any_readings() -> impl Strategy<Value = Readings> {
    let zones = prop::collection::vec(
        (0i64..120_000, prop::option::of(50_000i64..100_000), prop::option::of(80_000i64..120_000)),
        0..4,
    );
    let reasons = prop::collection::btree_set(prop::sample::select(Reason::ALL.to_vec()), 0..4);
    (zones, reasons, prop::option::of(0u64..3), prop::option::of(20.0..110.0)).prop_map(
        |(zones, reasons, overcurrents, celsius)| {
            let zones =
                zones.into_iter().map(|(now, passive, critical)| Zone { name: "z".into(), now, passive, critical });
            let gpu = Gpu { celsius, reasons, slowdown_celsius: Some(90.0), ..Gpu::default() };
            Readings {
                kernel: Kernel { zones: zones.collect(), overcurrents, ..Kernel::default() },
                gpus: vec![gpu],
                is_silent: false,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_hotter_machine_is_never_better_off(mut readings in any_readings(), more in 0i64..40_000) {
        let before = strain(&causes(&readings, Some(1)));
        for zone in &mut readings.kernel.zones {
            zone.now += more;
        }
        for gpu in &mut readings.gpus {
            gpu.celsius = gpu.celsius.map(|celsius| celsius + more as f64 / 1e3);
        }
        prop_assert!(strain(&causes(&readings, Some(1))) >= before);
    }

    #[test]
    fn the_worst_comes_first_and_one_more_reason_makes_nothing_better(
        mut readings in any_readings(),
        reason in prop::sample::select(Reason::ALL.to_vec()),
    ) {
        let before = causes(&readings, Some(1));
        prop_assert!(before.is_sorted_by(|a, b| a.strain() >= b.strain()));
        prop_assert_eq!(before.first().map(Cause::strain).unwrap_or_default(), strain(&before));
        readings.gpus[0].reasons.insert(reason);
        prop_assert!(strain(&causes(&readings, Some(1))) >= strain(&before));
    }

    #[test]
    fn it_rises_at_once_and_falls_after_as_many_calm_looks(looks in prop::collection::vec(any_strain(), 1..40)) {
        let mut settling = Settling::default();
        for (n, now) in looks.iter().enumerate() {
            let level = settling.after(*now);
            prop_assert!(level >= *now);
            let last = &looks[(n + 1).saturating_sub(LOOKS)..=n];
            prop_assert_eq!(level, last.iter().copied().max().unwrap());
        }
    }
}
