"""Commands at turning points: pre_start, post_start, pre_stop; health checks, dependencies, restarts."""

import os
import signal
import time

from bed import expect, processes_of, wait_until
from probes import log, ps
from table import Area

area = Area("hooks")
SLEEP = 'image: "base:1", command: [sleep, "9999"], stop_signal: SIGKILL'

# pre_start

area.row("pre_start", "pre_start: [{command: [sh, -c, 'echo one >> /v/order']}, {command: 'sh -c \"echo two >> /v/order\"'}]\nvolumes: ['p-order:/v']",
         inside={"cat /v/order": "one\ntwo"}, top={"volumes": "p-order: {}"}, outside=[(ps("state"), "running")])
area.row("pre_start user", "user: nobody\nvolumes: ['p-user:/v']\npre_start: [{command: [sh, -c, 'id -u > /v/id; chmod 777 /v'], user: root}, "
         "{command: [sh, -c, 'id -u >> /v/other']}]", inside={"cat /v/id /v/other": "0\n65534"}, top={"volumes": "p-user: {}"})
area.row("pre_start working_dir", "working_dir: /var\nvolumes: ['p-dir:/v']\npre_start: [{command: [sh, -c, 'pwd > /v/pwd']}, "
         "{command: [sh, -c, 'pwd >> /v/pwd'], working_dir: /var/log}]", inside={"cat /v/pwd": "/var\n/var/log"}, top={"volumes": "p-dir: {}"})
area.row("pre_start environment", "environment: {OWN: own, MORE: less}\nvolumes: ['p-env:/v']\n"
         "pre_start: [{command: [sh, -c, 'echo $$OWN $$MORE > /v/env'], environment: {MORE: more}}]",
         inside={"cat /v/env; echo $MORE": "own more\nless"}, top={"volumes": "p-env: {}"})
area.row("pre_start privileged", "volumes: ['p-priv:/v']\npre_start: [{command: [sh, -c, 'grep CapEff /proc/self/status | cut -f 2 > /v/caps'], privileged: true}]",
         inside={"cut -c 1-7 /v/caps; grep CapEff /proc/self/status | cut -f 2": "000001f\n00000000a80425fb"}, top={"volumes": "p-priv: {}"})
area.row("pre_start in another image", "volumes: ['p-image:/v']\npre_start: [{command: [sh, -c, 'cat /which > /v/which'], image: 'other:1'}]",
         inside={"cat /v/which; ls /which 2>&1": "other\nls: /which: No such file or directory"}, top={"volumes": "p-image: {}"},
         beside={"p-builder": "image: 'other:1'\nbuild: {context: ., dockerfile_inline: \"FROM base:1\\nRUN echo other > /which\\n\"}"})
area.row("pre_start by the service's entrypoint", "entrypoint: [sh, -c, 'echo entered >> /v/words; exec \"$$@\"', sh]\ncommand: [sleep, '9999']\n"
         "stop_signal: KILL\nvolumes: ['p-words:/v']\npre_start: [{command: [sh, -c, 'echo before >> /v/words']}]",
         inside={"cat /v/words": "entered\nbefore\nentered"}, top={"volumes": "p-words: {}"})
area.row("pre_start with an anonymous volume", "volumes: [/v]\npre_start: [{command: [touch, /v/seen]}]", inside={"ls /v": "seen"})
area.row("pre_start on the service's networks", "depends_on: [p-web]\npre_start: [{command: [sh, -c, 'wget -q -O - http://p-web:8000/etc/hostname']}]",
         beside={"p-web": "command: [httpd, -f, -p, '8000', -h, /]\nstop_signal: KILL"}, outside=[(ps("state"), "running")])
area.refused("pre_start that fails", "pre_start: [{command: [sh, -c, 'echo no database; exit 3']}]",
             "service pre-start-that-fails: pre_start ended with exit code 3: sh -c", "no database",
             "escale container inspect .*-pre-start-that-fails-pre_start-0")
area.refused("pre_start of a program that isn't there", "pre_start: [{command: [/bin/none]}]", "/bin/none")
area.refused("pre_start of an image that isn't there", "pre_start: [{command: [id], image: 'none:1'}]", "needs the image \"none:1\"")
area.refused("pre_start of an image that may not be pulled", "pull_policy: never\npre_start: [{command: [id], image: 'none:1'}]", "there is no image \"none:1\" here", "escale pull")
area.refused("pre_start without a command", "pre_start: [{user: root}]", "has no `command`")

COUNTED = """services:
  web:
    image: base:1
    command: [sleep, "9999"]
    stop_signal: KILL
    volumes: ["v:/v"]
    environment: {VERSION: "%s"}
    pre_start:
      - {command: [sh, -c, 'echo once $$VERSION >> /v/n']}
      - {command: [sh, -c, 'echo each >> /v/n'], per_replica: true}
volumes: {v: {}}
"""


def counts(project):
    lines = project.inside("web", "cat /v/n").splitlines()
    return {line: lines.count(line) for line in lines}


@area.scenario("pre_start runs once for a version, per_replica before each replica; not when it is scaled, restarted or started again")
def once(bench):
    with bench.project("h-once", COUNTED % 1) as project:
        project.up("--scale", "web=2")
        expect(counts(project) == {"once 1": 1, "each": 2}, f"it ran {counts(project)}")
        expect(len(project.ps()) == 2, f"containers are left over: {[one['name'] for one in project.ps()]}")
        project.up("--scale", "web=3")
        expect(counts(project) == {"once 1": 1, "each": 3}, f"after scaling it ran {counts(project)}")
        project.escale("restart")
        project.escale("stop")
        project.escale("start")
        os.kill(project.container("web")["pid"], signal.SIGKILL)
        project.up("--scale", "web=3")
        expect(counts(project) == {"once 1": 1, "each": 3}, f"after starting again it ran {counts(project)}")
        project.write("compose.yaml", COUNTED % 2)
        project.up("--scale", "web=3")
        expect(counts(project) == {"once 1": 1, "once 2": 1, "each": 6}, f"for another version it ran {counts(project)}")
        project.escale("down")
        project.up()
        expect(counts(project) == {"once 1": 1, "once 2": 2, "each": 7}, f"after down it ran {counts(project)}")


@area.scenario("a release whose pre_start fails goes back, and what ran runs on; the next one runs it again")
def release_fails(bench):
    text = f'services: {{web: {{{SLEEP}, pre_start: [{{command: [sh, -c, "%s"]}}]}}}}'
    with bench.project("h-back", text % "true") as project:
        project.up()
        before = project.container("web")["id"]
        project.write("compose.yaml", text % "cat /etc/hostname; exit 9")
        done = project.up(check=False)
        expect(done.returncode == 1, f"up ended with {done.returncode}")
        said = done.stdout + done.stderr
        expect("release 2 was undone" in said and "pre_start ended with exit code 9" in said, f"it says {said[-800:]}")
        left = {one["name"]: one for one in project.ps()}
        expect(set(left) == {"h-back-web-1", "h-back-web-pre_start-0"}, f"there is {set(left)}")
        failed = left["h-back-web-pre_start-0"]
        expect((failed["state"], failed["exitCode"], failed["isOneOff"]) == ("exited", 9, True), f"the failed one is {failed}")
        expect(failed["id"][:12] in said, f"its output isn't told: {said[-800:]}")
        expect((left["h-back-web-1"]["id"], left["h-back-web-1"]["state"]) == (before, "running"), "the first version was touched")
        project.write("compose.yaml", text % "sleep 0.1")
        project.up()
        wait_until("nothing else", lambda: [one["name"] for one in project.ps()] == ["h-back-web-1"])


@area.scenario("going back to a version runs none of its pre_start but those of each replica")
def goes_back(bench):
    with bench.project("h-returns", COUNTED % 1) as project:
        project.up()
        project.write("compose.yaml", (COUNTED % 2).replace("stop_signal", "healthcheck: {test: ['CMD', 'false'], interval: 100ms, retries: 1}\n    stop_signal"))
        expect(project.up(check=False).returncode == 1, "the release succeeded")
        expect(counts(project) == {"once 1": 1, "once 2": 1, "each": 3}, f"after a release was undone it ran {counts(project)}")
        project.write("compose.yaml", COUNTED % 3)
        project.up()
        project.escale("rollback", "1")
        expect(counts(project) == {"once 1": 1, "once 2": 1, "once 3": 1, "each": 5}, f"after a rollback it ran {counts(project)}")


@area.scenario("down ends a pre_start that hangs, and so does another version")
def hanging_pre_start(bench):
    hanging = f'services: {{a: {{{SLEEP}, pre_start: [{{command: [sleep, "600"]}}]}}}}'
    with bench.project("h-prehangs", hanging) as project:
        expect(project.escale("up", "-d", "--wait", "--wait-timeout", "1", check=False).returncode != 0, "up did not wait for it")
        project.escale("down", "-t", "0", timeout=30)
        expect(project.ps() == [], f"there is {project.ps()}")
        project.escale("up", "-d", "--wait", "--wait-timeout", "1", check=False)
        project.write("compose.yaml", hanging.replace("600", "0"))
        project.up(timeout=60)
        expect([(one["name"], one["state"]) for one in project.ps()] == [("h-prehangs-a-1", "running")], f"there is {project.ps()}")


@area.scenario("a pre_start goes on while no daemon runs, and is not begun again", alone=True)
def survives(bench):
    text = f"""
services:
  a: {{{SLEEP}, volumes: ["v:/v"], pre_start: [{{command: [sh, -c, "echo x >> /v/n; sleep 2"]}}, {{command: [sh, -c, "echo y >> /v/n"]}}]}}
volumes: {{v: {{}}}}
"""
    with bench.project("h-survives", text) as project:
        project.escale("up", "-d", "--wait", "--wait-timeout", "1", check=False)
        for process in processes_of(project.engine.root, "escaled"):
            os.kill(process, signal.SIGKILL)
        project.up()
        expect(project.inside("a", "cat /v/n") == "x\ny", f"it ran {project.inside('a', 'cat /v/n')!r}")
        expect(len(project.ps()) == 1, f"there is {project.ps()}")


# post_start

area.row("post_start", "post_start: [{command: [touch, /ready]}]", inside={"test -e /ready && echo ran": "ran"})
area.row("post_start as a text", "post_start: [{command: 'sh -c \"echo a b > /said\"'}]", inside={"cat /said": "a b"})
area.row("post_start in order", "post_start: [{command: [sh, -c, 'sleep 0.3; echo one >> /order']}, {command: [sh, -c, 'echo two >> /order']}]",
         inside={"cat /order": "one\ntwo"})
area.row("post_start user", "user: root\npost_start: [{command: [sh, -c, 'id -u > /tmp/id'], user: www-data}]", inside={"cat /tmp/id": "33"})
area.row("post_start as the service's user", "user: nobody\npost_start: [{command: [sh, -c, 'id -u > /tmp/id']}]", inside={"cat /tmp/id": "65534"})
area.row("post_start working_dir", "post_start: [{command: [sh, -c, 'pwd > /tmp/pwd'], working_dir: /var/log}]", inside={"cat /tmp/pwd": "/var/log"})
area.row("post_start environment", "environment: {OWN: own}\npost_start: [{command: [sh, -c, 'echo $$OWN $$MORE > /tmp/env'], environment: {MORE: more}}]",
         inside={"cat /tmp/env": "own more"})
area.row("post_start environment as a list", "post_start: [{command: [sh, -c, 'echo $$A > /tmp/env'], environment: [A=1]}]", inside={"cat /tmp/env": "1"})
area.row("post_start privileged", "post_start: [{command: [sh, -c, 'grep CapEff /proc/self/status | cut -f 2 > /tmp/caps'], privileged: true}]",
         inside={"cat /tmp/caps | cut -c 1-7": "000001f"})
area.row("post_start is not privileged", "post_start: [{command: [sh, -c, 'grep CapEff /proc/self/status | cut -f 2 > /tmp/caps']}]",
         inside={"cat /tmp/caps": "00000000a80425fb"})
area.refused("post_start that fails", "post_start: [{command: [sh, -c, 'echo no database; exit 3']}]",
             "service post-start-that-fails: post_start ended with exit code 3: sh -c", "no database")
area.refused("post_start of a program that isn't there", "post_start: [{command: [/bin/none]}]", "post_start")
area.refused("post_start of a user that isn't there", "post_start: [{command: [id], user: nobody-here}]", "nobody-here")
area.refused("post_start without a command", "post_start: [{user: root}]", "has no `command`")


@area.scenario("what depends on a service waits for its post_start")
def waits(bench):
    with bench.project("h-waits", f"""
services:
  first: {{{SLEEP}, volumes: ["v:/v"], post_start: [{{command: [sh, -c, "sleep 1; touch /v/done"]}}]}}
  second: {{image: "base:1", command: [sh, -c, "ls /v; sleep 9999"], volumes: ["v:/v"], depends_on: [first], stop_signal: SIGKILL}}
volumes: {{v: {{}}}}
""") as project:
        project.up()
        wait_until("the second one's output", lambda: project.logs("second").strip())
        expect(project.logs("second").strip() == "done", f"the second began too early: {project.logs('second')!r}")


@area.scenario("post_start runs at every start")
def every_start(bench):
    with bench.project("h-every", f'services: {{a: {{{SLEEP}, volumes: ["v:/v"], post_start: [{{command: [sh, -c, "echo x >> /v/n"]}}]}}}}\n'
                                  'volumes: {v: {}}') as project:
        project.up()
        project.escale("stop")
        project.up()
        expect(project.inside("a", "wc -l < /v/n") == "2", "it did not run twice")


@area.scenario("a failing post_start stops the container again")
def stops_again(bench):
    with bench.project("h-fails", f'services: {{a: {{{SLEEP}, post_start: [{{command: ["false"]}}]}}}}') as project:
        done = project.up(check=False)
        expect(done.returncode == 1, f"up ended with {done.returncode}")
        expect(project.container("a")["state"] != "running", "the container runs")


@area.scenario("down ends a post_start that hangs")
def hanging(bench):
    with bench.project("h-hangs", f'services: {{a: {{{SLEEP}, post_start: [{{command: [sleep, "600"]}}]}}}}') as project:
        done = project.escale("up", "-d", "--wait", "--wait-timeout", "1", check=False)
        expect(done.returncode != 0, "up did not wait for the hook")
        project.escale("down", "-t", "0", timeout=30)
        expect(project.ps() == [], "the container is there")


# pre_stop

@area.scenario("pre_stop runs before the signal")
def before_signal(bench):
    with bench.project("h-before", """
services:
  a:
    image: "base:1"
    command: [sh, -c, "trap 'echo signal >> /v/order; exit 0' TERM; while true; do sleep 0.1; done"]
    volumes: ["v:/v"]
    pre_stop: [{command: [sh, -c, "sleep 0.3; echo hook >> /v/order"]}]
  b: {image: "base:1", command: [sleep, "9999"], volumes: ["v:/v"], stop_signal: SIGKILL, profiles: [look]}
volumes: {v: {}}
""") as project:
        project.up()
        project.escale("stop")
        project.escale("--profile", "look", "up", "-d", "b")
        expect(project.inside("b", "cat /v/order") == "hook\nsignal", "the order is another one")


@area.scenario("pre_stop does not run when the container ends by itself")
def ends_itself(bench):
    with bench.project("h-itself", """
services:
  a: {image: "base:1", command: [sleep, "0.5"], volumes: ["v:/v"], pre_stop: [{command: [touch, /v/hook]}]}
  b: {image: "base:1", command: [sleep, "9999"], volumes: ["v:/v"], stop_signal: SIGKILL}
volumes: {v: {}}
""") as project:
        project.up()
        wait_until("the end of a", lambda: project.container("a")["state"] == "exited")
        time.sleep(0.3)
        expect(project.inside("b", "ls /v") == "", "the hook ran")


@area.scenario("a pre_stop that fails is told and stops nothing from stopping")
def failing_pre_stop(bench):
    with bench.project("h-prefails", f'services: {{a: {{{SLEEP}, pre_stop: [{{command: [sh, -c, "echo cannot; exit 4"]}}]}}}}') as project:
        project.up()
        done = project.escale("stop")
        expect("pre_stop" in done.stderr and "exit code 4" in done.stderr, f"not told: {done.stderr[-500:]}")
        expect(project.container("a")["state"] == "exited", "it runs on")


# Health

CHECK = "healthcheck: {test: %s, interval: 200ms, timeout: 1s, retries: 2, start_period: 0s}"
area.row("healthcheck of a list", CHECK % "[CMD, 'true']", outside=[(ps("health"), "healthy")])
area.row("healthcheck of a shell", CHECK % "[CMD-SHELL, 'test 1 = 1']", outside=[(ps("health"), "healthy")])
area.row("healthcheck of a text", CHECK % "test 2 = 2", outside=[(ps("health"), "healthy")])
area.row("healthcheck that fails", CHECK % "['CMD', 'false']", outside=[(ps("health"), "unhealthy")])
area.row("healthcheck that takes too long", "healthcheck: {test: [CMD, sleep, '60'], interval: 200ms, timeout: 300ms, retries: 1}",
         outside=[(ps("health"), "unhealthy")])
area.row("healthcheck none", "healthcheck: {test: [NONE]}", outside=[(ps("health"), "None")])
area.row("healthcheck disabled", "healthcheck: {disable: true}", outside=[(ps("health"), "None")])
area.row("healthcheck within its start period", "healthcheck: {test: [CMD, 'false'], interval: 200ms, retries: 1, start_period: 60s}",
         outside=[(ps("health"), "starting")])
area.row("healthcheck as the user", "user: nobody\n" + CHECK % "['CMD-SHELL', 'test $$(id -u) = 65534']", outside=[(ps("health"), "healthy")])
area.refused("healthcheck that is none", "healthcheck: {test: [RUN, 'true']}", "healthcheck.test")

# Dependencies

area.row("depends_on started", "depends_on: [dep-started]", beside={"dep-started": ""},
         outside=[(ps("state"), "running")])
area.row("depends_on healthy", "depends_on: {dep-healthy: {condition: service_healthy}}",
         beside={"dep-healthy": "command: [sh, -c, 'sleep 0.5; touch /ok; sleep 9999']\n" + CHECK % "[CMD, test, -e, /ok]"},
         outside=[(ps("state"), "running")])
area.row("depends_on completed", "depends_on: {dep-job: {condition: service_completed_successfully}}",
         beside={"dep-job": "command: [sh, -c, 'sleep 0.3; echo job done']"}, outside=[(ps("state"), "running")])
area.refused("depends_on a job that fails", "depends_on: {dep-bad: {condition: service_completed_successfully}}", "dep-bad.*exit code 5",
             beside={"dep-bad": "command: [sh, -c, 'exit 5']"})
area.refused("depends_on something unhealthy", "depends_on: {dep-sick: {condition: service_healthy}}", "dep-sick.*unhealthy",
             beside={"dep-sick": CHECK % "['CMD', 'false']"})
area.refused("depends_on health without a check", "depends_on: {dep-unchecked: {condition: service_healthy}}", "no healthcheck",
             beside={"dep-unchecked": ""})
area.refused("depends_on no service", "depends_on: [nobody]", "is no service")
area.refused("depends_on itself", "depends_on: [depends-on-itself]", "itself")
area.row("depends_on what may fail", "depends_on: {dep-optional: {condition: service_completed_successfully, required: false}}",
         beside={"dep-optional": "command: [sh, -c, 'exit 6']"}, outside=[(ps("state"), "running")])

# Restarts

area.row("restart no", "command: [sh, -c, 'echo once; exit 1']", outside=[(ps("state"), "exited"), (log(), "once")])
area.row("restart always", "restart: always\ncommand: [sh, -c, 'echo again; exit 0']", outside=[(log(), "again\nagain.*")])
area.row("restart on-failure of a failure", "restart: on-failure\ncommand: [sh, -c, 'echo again; exit 2']", outside=[(log(), "again\nagain.*")])
area.row("restart on-failure of a success", "restart: on-failure\ncommand: [sh, -c, 'echo fine']", outside=[(ps("state"), "exited"), (ps("restarts"), "0")])
area.row("restart on-failure with a bound", "restart: 'on-failure:2'\ncommand: [sh, -c, 'echo try; exit 1']",
         outside=[(log(), "try\ntry\ntry"), (ps("state"), "exited")])
area.row("restart unless-stopped", "restart: unless-stopped\ncommand: [sh, -c, 'echo again; exit 0']", outside=[(log(), "again\nagain.*")])
area.row("deploy restart_policy", "deploy: {restart_policy: {condition: on-failure, max_attempts: 1}}\ncommand: [sh, -c, 'echo try; exit 1']",
         outside=[(log(), "try\ntry"), (ps("state"), "exited")])
area.refused("a restart policy that is none", "restart: sometimes", "is not a restart policy")
