"""One finished study of tables for all tests of this folder."""

import pytest

from tests.stages.conftest import made_once
from tests.stages.studies.study_of_tables import study_of_tables


@pytest.fixture(scope="session")
def table_study(tmp_path_factory):
    """A finished study of 60 patients without images of tissue. Tests change a copy only."""
    return made_once(tmp_path_factory, "table-study", study_of_tables)
