//! What every store promises, once per backend: `store_contract::<backend>::<property>`.
//!
//! A property is an async function over a fresh, empty store. Each Postgres test makes a database of
//! its own on the server of `CLOUDFUNC_TEST_POSTGRES_URL` and drops it, also when it fails.

mod addresses;
mod audit_log;
mod connecting;
mod dependencies;
mod functions;
mod invocations;
mod leases;
mod lifecycle;
mod postgres_plans;
mod records;
mod secrets;
mod sqlite_file;
mod tokens;

use std::{process::Command, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudfunc::{
    lifecycle::{Ending, Transition},
    model::{
        AttemptRecord, Body, Code, Digest, Function, FunctionError, FunctionName, FunctionSpec,
        Interface, InvocationId, Language, ManagerId, Network, OwnerId, Package, Phases, RevisionNumber,
        Scaling, State,
    },
    store::{
        Announcement, Claim, Claiming, Config, Lease, NewInvocation, NewRevision, Settlement, Store,
        Wanted, connect,
    },
};
use jiff::Timestamp;

use crate::support::postgres::psql;

/// One test per property and backend. A property that is not listed is dead code, which clippy refuses.
macro_rules! contract {
    ($($module:ident { $($property:ident,)+ })+) => {
        mod postgres {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $property() {
                    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
                    let place = crate::support::postgres::Database::create(&server);
                    super::$module::$property(place.config()).await;
                }
            )+)+
        }
        mod sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $property() {
                    let place = super::SqliteFile::create();
                    super::$module::$property(place.config()).await;
                }
            )+)+
        }
    };
}

contract! {
    addresses {
        an_address_of_another_function_is_refused_and_nothing_changes,
        an_address_is_free_after_a_deletion_and_after_a_revision_without_it,
        a_rollback_takes_and_frees_addresses_or_is_refused,
        functions_with_addresses_are_listed_by_name,
        a_function_that_cannot_be_read_does_not_take_the_addresses_of_others_with_it,
        of_two_functions_that_claim_an_address_at_once_one_gets_it,
        functions_that_claim_many_addresses_in_opposite_order_do_not_wait_for_each_other,
        functions_that_exchange_addresses_at_once_are_refused_and_not_stuck,
    }
    audit_log {
        entries_are_read_as_they_were_added_newest_first,
        entries_are_chosen_by_each_condition,
        entries_are_paged_by_their_numbers,
        entries_added_at_once_are_all_there,
        old_entries_go_in_pieces,
        no_more_entries_are_kept_than_asked_for,
        refusals_push_out_no_changes,
        an_entry_has_the_time_at_which_it_happened,
        entries_from_before_a_clock_was_set_get_the_time_of_the_store,
        what_is_old_goes_together,
    }
    connecting {
        processes_that_start_at_once_both_get_a_store,
        what_was_written_is_there_after_a_reconnect,
    }
    dependencies {
        a_tree_is_read_as_it_was_stored,
        of_two_builds_of_one_key_the_first_is_kept,
        a_revision_without_its_dependencies_is_refused,
        dependencies_go_with_the_last_revision_that_names_them,
        what_builds_left_behind_goes_after_an_hour,
        a_fresh_tree_gets_its_key_when_it_is_used,
        the_logs_of_builds_go_with_what_they_are_of,
    }
    functions {
        revisions_are_numbered_from_one_and_the_newest_is_active,
        functions_are_paged_by_name,
        revisions_added_at_once_get_numbers_of_their_own,
        an_unchanged_upload_can_be_recognised,
        activation_minds_what_was_expected,
        a_revision_without_its_bundle_is_refused,
        reported_warmth_is_kept,
        deletion_cancels_what_waits_and_lets_running_finish,
        a_name_deployed_again_is_another_function,
        what_was_deleted_is_listed_with_its_age_until_it_is_forgotten,
        a_blob_goes_with_the_last_revision_that_uses_it,
        a_deploy_at_the_time_of_a_deletion_has_its_bundle_or_fails,
        logs_go_with_their_function_and_records_stay,
        old_revisions_go_with_what_only_they_named,
        what_is_in_use_is_no_old_revision,
        a_revision_that_was_removed_is_told_from_one_that_never_was,
    }
    invocations {
        a_row_of_a_gone_function_is_refused_and_the_others_go_in,
        an_id_accepted_again_counts_once,
        what_is_accepted_during_a_deletion_is_cancelled,
        one_of_a_hundred_claims_is_granted,
        a_claim_answers_what_was_accepted_and_the_revision_active_now,
        a_request_to_a_web_server_is_claimed_and_recorded_as_it_was_accepted,
        a_claim_is_refused_while_its_owner_has_a_lease_and_granted_after,
        a_claim_for_another_revision_than_the_active_one_changes_nothing,
        claims_made_together_are_answered_one_by_one_and_in_order,
        a_settlement_with_the_token_of_another_claim_changes_nothing,
        a_released_lease_frees_what_it_held,
        a_stale_attempt_cannot_overwrite_a_newer_one,
        what_came_of_a_lost_attempt_is_noted_in_the_record,
        an_invocation_has_exactly_one_terminal_state,
        what_was_given_back_waits_for_its_delay,
        failures_are_counted_beside_attempts,
        a_transition_that_changes_nothing_is_not_applied,
        a_claim_that_nobody_heard_of_does_not_stay_running,
        the_loss_beyond_the_last_ends_it_and_what_did_not_begin_counts_for_nothing,
        a_loss_that_is_reported_counts,
        what_was_never_published_is_due_after_a_second,
        a_row_says_from_the_beginning_who_publishes,
        two_sweepers_do_not_take_the_same_row,
        what_was_taken_and_not_noted_as_published_is_due_again_soon,
        the_sweeper_takes_the_oldest_first,
        what_could_not_be_published_is_as_due_as_before,
        what_a_queue_has_lost_is_due_again,
        a_clock_that_is_set_back_puts_nothing_off,
        a_write_that_fails_harms_none_beside_it,
        a_lease_that_ends_makes_its_rows_due,
        a_lost_invocation_of_a_deleted_function_is_cancelled,
        totals_balance_after_any_sequence,
        six_mebibytes_go_in_and_come_out,
    }
    leases {
        instances_are_those_of_leases_that_there_are,
        what_a_manager_cannot_run_counts_while_it_has_its_lease,
        a_lease_ends_only_as_it_was_seen,
        a_report_replaces_the_one_before,
        a_manager_that_starts_again_ends_the_leases_of_its_earlier_lives,
    }
    lifecycle {
        claims_and_settlements_do_what_the_lifecycle_decides,
    }
    records {
        a_sync_record_is_written_once_and_read_as_written,
        records_are_paged_newest_first_and_filtered,
        a_record_tells_of_every_attempt,
        nul_characters_are_replaced_not_refused,
        logs_are_filtered_and_oldest_first,
        log_pages_are_bounded_in_lines_and_bytes,
        an_invocation_is_found_by_the_beginning_or_the_end_of_its_id,
        an_invocation_is_found_among_those_of_some_functions,
        pruning_counts_what_it_deletes,
        what_ended_before_a_clock_was_set_gets_the_time_of_the_store,
    }
    secrets {
        a_secret_is_read_as_it_was_set_and_keeps_the_time_of_its_first_value,
        a_secret_that_has_to_exist_is_not_created,
        secrets_are_listed_by_function_and_name,
        a_functions_own_secret_comes_before_the_platforms,
        another_key_is_for_the_version_that_was_read_only,
        a_deleted_secret_is_gone,
        of_values_set_at_once_one_is_the_first_and_one_stays_whole,
        a_functions_own_secrets_go_with_it,
    }
    tokens {
        a_token_is_found_by_the_digest_of_its_text,
        a_name_is_given_to_one_token,
        of_tokens_added_at_once_one_gets_the_name,
        tokens_are_paged_by_name,
        a_token_has_a_time_left_until_it_has_expired,
        a_rotated_token_is_found_by_the_text_before_and_by_no_older_one,
        an_old_text_ends_with_its_token_at_the_latest,
        a_revoked_token_is_gone_with_both_texts,
        the_use_of_a_token_is_noted_once_a_minute,
        tokens_that_expired_long_ago_are_deleted,
    }
}

struct SqliteFile(tempfile::TempDir);

impl SqliteFile {
    fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// In a folder that is not there yet.
    fn config(&self) -> Config {
        Config::Sqlite { path: self.0.path().join("new/store.db") }
    }
}

/// Changes rows behind the store's back.
pub(crate) fn execute(config: &Config, statement: &str) {
    match config {
        Config::Postgres { url } => drop(psql(url.expose(), statement)),
        Config::Sqlite { path } => {
            let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as store: store.execute(sys.argv[2])";
            let done = Command::new("python3").args(["-c", script]).arg(path).arg(statement).status();
            assert!(done.unwrap().success(), "{statement}");
        }
    }
}

async fn open(config: Config) -> Arc<dyn Store> {
    connect(&config).await.unwrap()
}

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

pub(crate) fn name(text: &str) -> FunctionName {
    text.parse().unwrap()
}

fn spec() -> FunctionSpec {
    FunctionSpec {
        description: None,
        code: Code::Language {
            language: Language::Python,
            version: "3.12".to_owned(),
            package: Package::Bundle,
        },
        handler: "function.handler".to_owned(),
        interface: Interface::Protocol,
        command: Vec::new(),
        timeout: Duration::from_secs(30),
        load_timeout: None,
        memory_bytes: 128 << 20,
        cpus: 1.0,
        network: Network::None,
        env: [("GREETING".to_owned(), "Hello".to_owned())].into(),
        build_command: None,
        scaling: Scaling {
            idle_timeout: Duration::from_secs(60),
            max_instances: 10,
            min_instances: 0,
            concurrency: 1,
        },
        secrets: Vec::new(),
        rate_limit: None,
        http: None,
        from_source: false,
    }
}

/// What a deploy of these bytes hands over; the bytes stand for both source and bundle.
pub(crate) fn revision_of(function: &str, content: &str) -> NewRevision {
    let digest = Digest::of(content.as_bytes());
    NewRevision {
        name: name(function),
        spec: spec(),
        source: digest.clone(),
        bundle: Some(digest),
        dependencies: None,
        image: "sha256:0123".to_owned(),
    }
}

async fn deploy(store: &Arc<dyn Store>, function: &str, content: &str) -> Function {
    let new = revision_of(function, content);
    store.put_blob(&new.source, Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
    store.add_revision(new).await.unwrap();
    store.function(&name(function)).await.unwrap().unwrap()
}

/// Now, as precise as the store keeps times.
fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap()
}

fn text(body: &str) -> Body {
    Body { content_type: "text/plain".to_owned(), bytes: Bytes::copy_from_slice(body.as_bytes()) }
}

fn invocation(function: &Function) -> NewInvocation {
    NewInvocation {
        id: InvocationId::new(),
        function: function.id,
        name: function.name.clone(),
        payload: text("payload"),
        headers: r#"{"x-request":"1"}"#.to_owned(),
        http: None,
        accepted_at: now(),
        parent: None,
        announcement: Announcement::ToBeNoted,
    }
}

async fn accept(store: &Arc<dyn Store>, function: &Function) -> InvocationId {
    let row = invocation(function);
    assert_eq!(store.accept(std::slice::from_ref(&row)).await.unwrap(), [true]);
    row.id
}

/// A manager process with a lease.
async fn owner(store: &Arc<dyn Store>) -> OwnerId {
    let owner = OwnerId::new();
    store.take_lease(owner, ManagerId::new(), LONG).await.unwrap();
    owner
}

async fn lease_of(store: &Arc<dyn Store>, owner: OwnerId) -> Lease {
    let leases = store.leases().await.unwrap();
    leases.into_iter().find(|lease| lease.owner == owner).expect("it has one")
}

/// Claims an invocation for an instance of whichever revision is active; none: it is not available.
async fn claim(store: &Arc<dyn Store>, id: InvocationId, owner: OwnerId) -> Option<Claim> {
    let mut revision = RevisionNumber(1);
    loop {
        match claim_for(store, id, revision, owner).await {
            Claiming::Granted(claim) => return Some(*claim),
            Claiming::Moved(active) => revision = active,
            Claiming::Refused => return None,
            Claiming::NoLease => panic!("the owner has no lease"),
        }
    }
}

async fn claim_for(
    store: &Arc<dyn Store>,
    id: InvocationId,
    revision: RevisionNumber,
    owner: OwnerId,
) -> Claiming {
    store.claim(&[Wanted { id, revision }], owner).await.unwrap().remove(0)
}

/// The end of an attempt, in a terminal state.
fn finish(id: InvocationId, attempt: u32, state: State) -> Settlement {
    let ending = Ending::in_state(state);
    Settlement {
        id,
        attempt,
        token: None,
        transition: Transition::End { ending, failures: 0 },
        attempt_record: AttemptRecord {
            number: attempt,
            revision: None,
            instance: None,
            outcome: Some(state),
            error: None,
            lines: None,
            http_status: None,
        },
        start: None,
        prewarmed: false,
        phases: Phases::new(),
        result: (state == State::Succeeded).then(|| text("result")),
        finished_at: now(),
    }
}

/// Has an attempt tried again after `after`; false when it is not the one that runs.
async fn give_back(
    store: &Arc<dyn Store>,
    id: InvocationId,
    attempt: u32,
    after: Duration,
    reason: &str,
) -> bool {
    let mut row = finish(id, attempt, State::Failed);
    row.transition = Transition::Retry { after, failures: 0, losses: 0 };
    row.attempt_record.revision = Some(RevisionNumber(1));
    row.attempt_record.outcome = None;
    row.attempt_record.error = Some(FunctionError::platform(reason));
    store.settle(&[row]).await.unwrap()[0]
}

async fn state(store: &Arc<dyn Store>, id: InvocationId) -> State {
    store.record(id).await.unwrap().unwrap().state
}
