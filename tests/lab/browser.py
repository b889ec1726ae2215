# SPDX-License-Identifier: Apache-2.0

"""A person at Horizon: headless Chromium."""

import pathlib

from lab.cloud.services import horizon
from lab import layout
from lab import wait as waiting
from selenium import webdriver
from selenium.webdriver.common import by
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support import wait

# For a page; some ask every service of the cloud.
LIMIT_S = 30.0


class Browser:
    """Logs in as admin, with whatever project Horizon chooses."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        # Debian's, and not one that selenium would fetch.
        options.binary_location = '/usr/bin/chromium'
        for argument in ('--headless=new', '--no-sandbox', '--disable-gpu',
                         '--disable-dev-shm-usage', '--lang=en',
                         '--window-size=1100,900'):
            options.add_argument(argument)
        self.driver = webdriver.Chrome(
            options=options,
            service=webdriver.ChromeService('/usr/bin/chromedriver'))
        self.driver.set_page_load_timeout(waiting.scaled(LIMIT_S))

    def close(self) -> None:
        self.driver.quit()

    def log_in(self) -> None:
        self.go('auth/login/')
        self.find('#id_username').send_keys('admin')
        self.find('#id_password').send_keys(layout.PASSWORD)
        self.find('#loginBtn').click()
        self.find('.user-name')

    def go(self, path: str) -> None:
        self.driver.get(horizon.URL + path)

    def find(self, selector: str):
        """Return the element when it is to be seen.

        :param selector: CSS
        """
        return self._wait(expected_conditions.visibility_of_element_located(
            (by.By.CSS_SELECTOR, selector)), selector)

    def all(self, selector: str) -> list:
        """Return the elements that are there now."""
        return self.driver.find_elements(by.By.CSS_SELECTOR, selector)

    def until_gone(self, selector: str) -> None:
        self._wait(expected_conditions.invisibility_of_element_located(
            (by.By.CSS_SELECTOR, selector)), 'end of ' + selector)

    def _wait(self, condition, what: str):
        return wait.WebDriverWait(
            self.driver, waiting.scaled(LIMIT_S)).until(condition, what)

    def tick(self, field: str) -> None:
        # Horizon's theme draws the box by its label.
        self.find('label[for=id_%s] .control-label' % field).click()

    def choose(self, field: str, value: str) -> None:
        """Choose from a list that Horizon's theme has drawn."""
        self.find('.themable-select:has(select[name=%s]) button'
                  % field).click()
        self.find('.themable-select:has(select[name=%s]) '
                  'a[data-select-value="%s"]' % (field, value)).click()

    def act(self, link: str) -> None:
        """Choose an action from the menu of a table's row.

        :param link: how the action's URL ends
        """
        action = 'a[href$="%s"]' % link
        self.find('tr:has(%s) .dropdown-toggle' % action).click()
        self.find(action).click()

    def help(self, field: str) -> str:
        """Return the help text that is shown beside the label of a field."""
        webdriver.ActionChains(self.driver).move_to_element(
            self.find('label[for=id_%s] .help-icon' % field)).perform()
        return self.find('.tooltip').text

    def picture(self, name: str) -> pathlib.Path:
        """Keep a picture of the page with the logs of the lab."""
        path = layout.LOGS / ('horizon-%s.png' % name)
        self.driver.save_screenshot(path)
        return path
