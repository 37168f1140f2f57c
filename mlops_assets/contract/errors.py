"""The one exception tree. Every error a user can meet says what was wrong, where, and what to do about it."""


class PlatformError(Exception):
    """Base of every error this platform raises on purpose. Its text is written for the person who reads it."""


class DeclarationError(PlatformError):
    """A use case is declared wrongly: names the use case, the field and the valid alternatives."""


class SettingError(PlatformError):
    """A setting is missing or wrong: names the setting, what was found and how to mend it."""


class LandingError(PlatformError):
    """A landed file cannot be taken: names the file and what is wrong with it."""


class ValidationError(PlatformError):
    """Data breaks its schema in a way that leaves nothing to work on: names file, row, column and rule."""


class FeatureError(PlatformError):
    """Features cannot be computed as declared: names the view or feature and the reason."""


class TrainingError(PlatformError):
    """A model cannot be trained or loaded: names the version or split and the reason."""


class EvaluationError(PlatformError):
    """A figure cannot be computed as asked, such as labels outside 0 and 1."""


class LakeError(PlatformError):
    """The lake refused or failed: names repository, branch or path and lakeFS's own reason."""


class AuditFailed(LakeError):
    """A staged write failed its audit: names the branch that was kept and the checks that failed."""


class RegistryError(PlatformError):
    """A model version is unknown, damaged, or may not be promoted."""


class VersionHeld(RegistryError):
    """A version that passed its gates waits for a person to say why it is that good."""


class ServingError(PlatformError):
    """The service cannot answer: its model, checksum or history store is missing or stale."""


class AlertError(PlatformError):
    """An alert is unknown, cannot be changed as asked, or was not delivered."""


class KeyRefused(PlatformError):
    """A caller's key does not open what was asked for. Its text is for the caller: it names no place and no hash."""


class KeyMissing(KeyRefused):
    """No bearer key was sent, or what was sent is not written as one."""


class KeyUnknown(KeyRefused):
    """There is no such key: its id or its secret is wrong."""


class KeyExpired(KeyRefused):
    """The key was right, and its time is over."""


class KeyRevoked(KeyRefused):
    """The key was right, and was revoked."""


class ScopeMissing(KeyRefused):
    """The key is right and does not open this part of the service."""


class TooFast(KeyRefused):
    """The key's rate is used up; ``retry_after`` says in seconds when the next request is due."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
