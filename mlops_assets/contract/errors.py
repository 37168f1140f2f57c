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


class ServingError(PlatformError):
    """The service cannot answer: its model, checksum or history store is missing or stale."""
