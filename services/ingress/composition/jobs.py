"""Inference and jobs."""

from collections.abc import Iterator
from itertools import chain

from services.ingress.adapters.background_jobs import BackgroundJobs
from services.ingress.adapters.bulk_changes import BulkChanges
from services.ingress.adapters.bulk_commit import BulkCommit
from services.ingress.adapters.cancellation import Cancellation
from services.ingress.adapters.change_notices import ChangeNotices
from services.ingress.adapters.idempotency_keys import IdempotencyKeys
from services.ingress.adapters.job_candidates import JobCandidates
from services.ingress.adapters.job_changes import JobChanges
from services.ingress.adapters.job_rows import JobRows
from services.ingress.adapters.provider_calls import ProviderCalls
from services.ingress.adapters.recorded_chunks import RecordedChunks
from services.ingress.api.events import EventEndpoint
from services.ingress.api.idempotency import CreateOnce
from services.ingress.api.inference import InferenceEndpoints
from services.ingress.api.job_answers import JobAnswers
from services.ingress.api.job_batch import JobBatchEndpoint
from services.ingress.api.job_changes import JobChangeEndpoints
from services.ingress.api.jobs import JobEndpoints
from services.ingress.api.keyed_calls import KeyedCalls
from services.ingress.api.models import ModelEndpoints
from services.ingress.api.route import RawRoute
from services.ingress.api.routes.inference import inference_routes
from services.ingress.api.routes.job_changes import job_change_routes
from services.ingress.api.routes.jobs import job_routes
from services.ingress.api.routes.models import model_routes
from services.ingress.composition.core import Core
from services.ingress.domain.job_times import JobLimits
from services.ingress.settings import IngressSection
from shared.config.catalog import Catalog


def work_routes(core: Core) -> Iterator[RawRoute]:
    """Build what callers give work to, and ask about it."""
    section = core.settings.ingress
    limits = _limits(section)
    catalog = Catalog.from_settings(core.settings)
    rows, keys = JobRows(core.database), IdempotencyKeys(core.database)
    cancellation = Cancellation(core.link, core.redis)
    background_jobs = BackgroundJobs(
        bodies=core.bodies,
        commits=core.commits,
        keys=keys,
        rows=rows,
        watch=core.watch,
        drains=core.drains,
    )
    answers = JobAnswers(
        jobs=background_jobs,
        rows=rows,
        backlog=core.backlog,
        bodies=core.bodies,
        tasks=core.tasks,
        base_url=section.public_url or "",
        max_wait_s=section.max_wait_s,
    )
    inference = InferenceEndpoints(
        catalog=catalog,
        calls=ProviderCalls(core.link, core.bodies, cancellation, core.background, core.drains),
        jobs=answers,
        keyed=KeyedCalls(
            jobs=background_jobs,
            answers=answers,
            chunks=RecordedChunks(rows, core.watch),
            tasks=core.tasks,
        ),
        backlog=core.backlog,
        settings=section,
        limits=limits,
        tasks=core.tasks,
    )
    batches = JobBatchEndpoint(
        catalog=catalog,
        jobs=background_jobs,
        backlog=core.backlog,
        commits=BulkCommit(
            core.database, keys, core.publication.enqueue, max_published=section.publications_waiting // 2
        ),
        keys=keys,
        settings=section,
        limits=limits,
        egress=core.egress,
    )
    changes = JobChangeEndpoints(
        answers=answers,
        rows=rows,
        changes=JobChanges(core.database, core.bodies),
        once=CreateOnce(core.database, keys),
        bulk=BulkChanges(JobCandidates(core.database), rows),
        notices=ChangeNotices(core.watch, core.link, cancellation, core.background),
        settings=section,
        limits=limits,
    )
    events = EventEndpoint(rows=rows, watch=core.watch, tasks=core.tasks, keep_alive_s=section.keep_alive_s)
    jobs = JobEndpoints(
        answers=answers, rows=rows, catalog=catalog, settings=section, limits=limits, egress=core.egress
    )
    return chain(
        inference_routes(inference),
        model_routes(ModelEndpoints(catalog)),
        job_routes(jobs, events, batches),
        job_change_routes(changes),
    )


def _limits(section: IngressSection) -> JobLimits:
    return JobLimits(
        deadline_s=section.job_deadline_s,
        max_deadline_s=section.max_job_deadline_s,
        max_run_in_s=section.max_job_run_in_s,
        attempts=section.job_attempts,
        max_attempts=section.max_job_attempts,
    )
