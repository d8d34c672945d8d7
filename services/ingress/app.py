"""The composition root: the one place that names concrete classes."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from redis.asyncio import Redis

from services.ingress.adapters.api_keys import ApiKeys
from services.ingress.adapters.background import Background
from services.ingress.adapters.background_jobs import BackgroundJobs
from services.ingress.adapters.broker_link import BrokerLink
from services.ingress.adapters.cancellation import Cancellation
from services.ingress.adapters.first_publication import FirstPublication
from services.ingress.adapters.group_commit import GroupCommit
from services.ingress.adapters.job_rows import JobRows
from services.ingress.adapters.job_watch import JobWatch
from services.ingress.adapters.provider_calls import ProviderCalls
from services.ingress.adapters.redis_link import open_redis
from services.ingress.api.application import make_application
from services.ingress.api.docs import DocsPage
from services.ingress.api.events import EventEndpoint
from services.ingress.api.health import HealthEndpoints
from services.ingress.api.inference import InferenceEndpoints
from services.ingress.api.job_answers import JobAnswers
from services.ingress.api.jobs import JobEndpoints
from services.ingress.api.models import ModelEndpoints
from services.ingress.api.routes import inference_routes, job_routes, model_routes, plain_routes
from services.ingress.api.server import serving
from services.ingress.domain.submission import JobLimits
from services.ingress.settings import IngressSettings
from shared.config.catalog import Catalog
from shared.messaging.factory import make_broker
from shared.runtime.health import Health
from shared.storage.bodies import BodyStore
from shared.storage.postgres import Database
