//! Tokens on two hosts of a platform: what is done on one holds on the other.

use cloudfunc::app::Role;
use serde_json::json;

use super::{REVOKED_WITHIN, is_refused_within, make, revoke, rotate, status};
use crate::support::{
    beside::SecondHost,
    eventually_within,
    platform::{Stack, TestPlatform},
};

/// Nothing is run: no managers.
const ROLES: [Role; 3] = [Role::Registry, Role::Scheduler, Role::Gateway];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_of_a_token_on_one_host_holds_on_the_other() {
    let test = "access::two_hosts::what_becomes_of_a_token_on_one_host_holds_on_the_other";
    let stack = Stack::named("postgres_rabbitmq_process");
    let Some(platform) = TestPlatform::start_roles(stack, test, &ROLES, |_| {}).await else { return };
    let second = SecondHost::start(&platform, &ROLES).await;
    let (here, there) = (platform.address(Role::Gateway), second.platform.addresses.gateway);

    let first = make(&platform, json!({ "name": "ci", "role": "deploy" })).await;
    for gateway in [here, there] {
        assert_eq!(status(gateway, &first).await, 200, "it holds at once");
    }
    let kept = rotate(&platform, "ci", Some(json!({ "keep_old_s": 3600 }))).await;
    for gateway in [here, there] {
        assert_eq!(status(gateway, &kept).await, 200);
        assert_eq!(status(gateway, &first).await, 200, "the old text is accepted, too");
    }
    let last = rotate(&platform, "ci", None).await;
    for gateway in [here, there] {
        assert_eq!(status(gateway, &last).await, 200);
        is_refused_within(REVOKED_WITHIN, gateway, &kept).await;
        is_refused_within(REVOKED_WITHIN, gateway, &first).await;
    }
    revoke(&platform, "ci").await;
    for gateway in [here, there] {
        is_refused_within(REVOKED_WITHIN, gateway, &last).await;
    }
    // Each host's own file is no stored token, and opens its own gateway only.
    let file = std::fs::read_to_string(platform.platform.data_dir.join("token")).unwrap();
    assert_eq!(status(here, file.trim()).await, 200);
    assert_eq!(status(there, file.trim()).await, 401);
    second.stop().await;
    platform.stop().await;
}

/// The old text ends by the store's clock, on every host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_text_ends_when_its_time_is_over() {
    let test = "access::two_hosts::an_old_text_ends_when_its_time_is_over";
    let stack = Stack::named("postgres_rabbitmq_process");
    let Some(platform) = TestPlatform::start_roles(stack, test, &ROLES, |_| {}).await else { return };
    let second = SecondHost::start(&platform, &ROLES).await;
    let (here, there) = (platform.address(Role::Gateway), second.platform.addresses.gateway);
    let old = make(&platform, json!({ "name": "ci", "role": "invoke" })).await;
    let begun = std::time::Instant::now();
    let new = rotate(&platform, "ci", Some(json!({ "keep_old_s": 3 }))).await;
    for gateway in [here, there] {
        let is_accepted = status(gateway, &old).await == 200;
        assert!(is_accepted || begun.elapsed().as_secs() >= 3);
    }
    let within = std::time::Duration::from_secs(3) + REVOKED_WITHIN;
    for gateway in [here, there] {
        eventually_within(within, "the old text is refused", || async {
            (status(gateway, &old).await == 401).then_some(())
        })
        .await;
        assert_eq!(status(gateway, &new).await, 200);
    }
    assert!(begun.elapsed().as_secs() >= 3, "not before");
    second.stop().await;
    platform.stop().await;
}
