"""How many threads to run while other processes keep some of the CPUs busy.

The threads of a team meet many times per batch. If another process runs on the CPU of one of them, all wait for as
long as that takes, and a smaller team, whose threads have a CPU each, is done sooner. Results do not depend on the
size of the team, so it may change from one run to the next.
"""

WINDOW = 0.05  # seconds of runs that a judgement is made of: several turns of a busy process, and no mere hiccup
DISTURBED = 0.25  # share of them that threads slept: below 0.1 on an idle machine, above 0.4 beside a busy process
PAUSE, LONGEST_PAUSE = 0.05, 4.0  # seconds of runs before the whole team is tried again; doubled after each failure
HOPELESS = 1.5  # times as slow as the whole team: to give up still more threads would not pay


class Contention:
    """Gives up threads one by one until none is disturbed, and tries the whole team again from time to time."""

    def __init__(self) -> None:
        self.given_up = 0
        self.pause = PAUSE
        self.left = 0.0  # of the pause
        self.whole = 0.0  # seconds per row of the whole team while it was disturbed
        self.searching = True
        self._clear()

    def _clear(self) -> None:
        self.rows, self.seconds, self.slept = 0, 0.0, 0.0

    def team(self, threads: int) -> int:
        """How many threads to run where `threads` are wanted."""
        if self.left <= 0 and (self.given_up or not self.searching):
            self.given_up, self.searching = 0, True
            self._clear()
        return max(1, threads - self.given_up)

    def note(self, team: int, rows: int, seconds: float, slept: float) -> None:
        """Take notice of a run.

        Parameters
        ----------
        team : int
            Threads that ran.
        rows : int
            Rows of all its batches.
        seconds : float
            What it took.
        slept : float
            How long its threads slept while they waited for one another, summed over the threads.
        """
        self.left -= seconds
        self.rows += rows
        self.seconds += seconds
        self.slept += slept / max(1, team - 1)  # while one thread is held up, the others sleep
        if self.seconds < WINDOW or not self.rows:
            return
        pace, disturbed = self.seconds / self.rows, self.slept > DISTURBED * self.seconds
        self._clear()
        if self.searching:
            self._judge(team, pace, disturbed)

    def _judge(self, team: int, pace: float, disturbed: bool) -> None:
        if not self.given_up:
            if not disturbed:
                self.pause = PAUSE
            elif team > 1:
                self.whole, self.given_up = pace, 1
                self.left, self.pause = self.pause, min(2 * self.pause, LONGEST_PAUSE)
        elif disturbed and team > 1 and pace < HOPELESS * self.whole:
            self.given_up += 1
        else:
            self.searching = False
            if pace >= self.whole:
                self.given_up = 0  # the threads wait for something else than a CPU
