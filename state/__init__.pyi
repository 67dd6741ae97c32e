from .errors import BudgetExceededError as BudgetExceededError
from .errors import ErrorKind as ErrorKind
from .errors import ProviderError as ProviderError
from .errors import ResponsesAPIError as ResponsesAPIError
from .errors import ToolArgumentsError as ToolArgumentsError
from .errors import ToolError as ToolError
from .errors import ToolTimeoutError as ToolTimeoutError
from .errors import TurnConfigurationError as TurnConfigurationError
from .errors import TurngraphError as TurngraphError
from .errors import TurnInvocationError as TurnInvocationError
from .errors import TurnValueError as TurnValueError
from .errors import UnknownToolError as UnknownToolError
from .events import AnyEvent as AnyEvent
from .events import BudgetWarning as BudgetWarning
from .events import ChargeAuthorized as ChargeAuthorized
from .events import ChargeCreated as ChargeCreated
from .events import ChargeDeclined as ChargeDeclined
from .events import PluginCalled as PluginCalled
from .events import PluginSelected as PluginSelected
from .events import PromptFinished as PromptFinished
from .events import PromptStarted as PromptStarted
from .events import RequestSent as RequestSent
from .events import ResponseFailed as ResponseFailed
from .events import ResponseReceived as ResponseReceived
from .events import Token as Token
from .events import ToolPresented as ToolPresented
from .events import ToolRequested as ToolRequested
from .events import ToolResponded as ToolResponded
from .events import TurnEvent as TurnEvent
from .events import TurnWarning as TurnWarning
from .flow import Flow as Flow
from .flow import Wait as Wait
from .kinds import Billed as Billed
from .kinds import BilledOnError as BilledOnError
from .kinds import ChargeKind as ChargeKind
from .kinds import ToolKind as ToolKind
from .kinds import ToolRunStatus as ToolRunStatus
from .kinds import TurnPhase as TurnPhase
from .kinds import TurnStatus as TurnStatus
from .limits import TurnLimits as TurnLimits
from .messages import merge_messages as merge_messages
from .reply import ProviderReply as ProviderReply
from .reply import StreamChunk as StreamChunk
from .reply import ToolCall as ToolCall
from .request import Api as Api
from .request import ChatRequest as ChatRequest
from .request import ToolSpec as ToolSpec
from .result import Attempt as Attempt
from .result import Charge as Charge
from .result import PriceUsed as PriceUsed
from .result import ToolRun as ToolRun
from .result import TurnResult as TurnResult
from .turn import SelectedPlugin as SelectedPlugin
from .turn import ToolTask as ToolTask
from .turn import Turn as Turn
from .turn import TurnInput as TurnInput
from .turn import TurnOutcome as TurnOutcome
from .turn import TurnOutput as TurnOutput
from .turn import TurnSettings as TurnSettings
from .turn_error import TurnError as TurnError
from .turn_error import TurnErrorKind as TurnErrorKind
from .usage import Usage as Usage

__all__ = [
    "AnyEvent",
    "Api",
    "Attempt",
    "Billed",
    "BilledOnError",
    "BudgetExceededError",
    "BudgetWarning",
    "Charge",
    "ChargeAuthorized",
    "ChargeCreated",
    "ChargeDeclined",
    "ChargeKind",
    "ChatRequest",
    "ErrorKind",
    "Flow",
    "PluginCalled",
    "PluginSelected",
    "PriceUsed",
    "PromptFinished",
    "PromptStarted",
    "ProviderError",
    "ProviderReply",
    "RequestSent",
    "ResponseFailed",
    "ResponseReceived",
    "ResponsesAPIError",
    "SelectedPlugin",
    "StreamChunk",
    "Token",
    "ToolArgumentsError",
    "ToolCall",
    "ToolError",
    "ToolKind",
    "ToolPresented",
    "ToolRequested",
    "ToolResponded",
    "ToolRun",
    "ToolRunStatus",
    "ToolSpec",
    "ToolTask",
    "ToolTimeoutError",
    "Turn",
    "TurnConfigurationError",
    "TurnError",
    "TurnErrorKind",
    "TurnEvent",
    "TurnInput",
    "TurnInvocationError",
    "TurnLimits",
    "TurnOutcome",
    "TurnOutput",
    "TurnPhase",
    "TurnResult",
    "TurnSettings",
    "TurnStatus",
    "TurnValueError",
    "TurnWarning",
    "TurngraphError",
    "UnknownToolError",
    "Usage",
    "Wait",
    "merge_messages",
]
